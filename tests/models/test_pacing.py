import asyncio
import json
import math

import pytest
from in_flight import InFlight
from simulated_time import run_simulated

from rlm_memory_core import Usage
from rlm_memory_core.models.budget import Budget, ModelCall
from rlm_memory_core.models.openai_backend import retry_after
from rlm_memory_core.models.pacing import Pacing, Window
from rlm_memory_core.models.pipeline import Pipeline
from rlm_memory_core.models.types import ConnectionFailed, Refused, Request, Response


def now():
    return asyncio.get_running_loop().time()


class Server:
    """A backend that takes a second for each answer; `answer(server, name)` gives it, or an error to raise.

    `sent` keeps times and names.
    """

    def __init__(self, answer=lambda server, name: ok(), seconds=1.0, refuses_after=0.0):
        self.sent = []
        self.in_flight = InFlight()
        self._answer = answer
        self._seconds, self._refuses_after = seconds, refuses_after

    async def send(self, request):
        self.sent.append((now(), request.body["name"]))
        with self.in_flight:
            answer = self._answer(self, request.body["name"])
            await asyncio.sleep(self._seconds if isinstance(answer, Response) else self._refuses_after)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def times(self):
        return [time for time, _ in self.sent]


def ok(tokens=None):
    return Response(json.dumps({} if tokens is None else {"usage": {"prompt_tokens": tokens}}))


def busy(retry_after=None, retryable=True):
    return Refused(429, "slow down", retry_after, retryable)


def in_turn(*answers):
    """A server's answers to the requests in the order in which they come, and `ok` from then on."""
    left = list(answers)
    return lambda server, name: left.pop(0) if left else ok()


def paced(server, max_retries=4, **limits):
    return Pipeline(Pacing(server, max_retries, **limits))


def call(name="x", budget=None):
    return ModelCall(Request("", {"name": name}), budget)


async def outcome(pacing, name="x"):
    """200, or the status of the refusal."""
    try:
        await pacing.send(call(name))
    except Refused as refusal:
        return refusal.status
    return 200


async def send(pacing, count):
    return await asyncio.gather(*(outcome(pacing, f"{number}") for number in range(count)))


def test_everything_goes_out_at_once_where_no_limit_is_known():
    server = Server()
    assert run_simulated(send(paced(server), 1_000)) == [200] * 1_000
    assert set(server.times) == {0.0}


def test_the_concurrency_is_reached_and_never_passed():
    server = Server()
    run_simulated(send(paced(server, concurrency=7), 30))
    assert (server.in_flight.most, server.times[-1]) == (7, 4.0)


def test_nothing_goes_out_while_the_server_asks_to_wait_and_then_all_are_answered():
    server = Server(in_turn(busy(20.0)))
    pacing = paced(server)

    async def scenario():
        first = asyncio.create_task(send(pacing, 1))
        await asyncio.sleep(5)
        return [*await send(pacing, 3), *await first]

    assert run_simulated(scenario()) == [200] * 4
    assert server.times[:2] == [0.0, 20.0]
    assert min(server.times[1:]) >= 20.0


def test_concurrency_is_halved_once_for_a_burst_of_refusals_and_climbs_back_as_calls_succeed():
    def answer(server, name):
        return busy(1.0) if len(server.sent) > 960 and now() == 0.0 else ok()

    server = Server(answer, refuses_after=0.1)
    pacing = paced(server)
    limits = []

    async def scenario():
        calls = asyncio.create_task(send(pacing, 1_000))
        while not calls.done():
            limits.append(pacing.pacing.limit)
            await asyncio.sleep(0.5)
        return await calls

    assert run_simulated(scenario()) == [200] * 1_000
    assert limits[0] == math.inf
    lowered = [limit for limit in limits if limit < math.inf]
    assert lowered[0] == 500.0  # of the 1,000 that were out, however many were refused
    assert lowered == sorted(lowered)
    assert lowered[-1] > 501


def test_a_server_that_takes_ten_at_once_loses_no_call_and_is_not_asked_in_vain_for_long():
    def answer(server, name):
        return busy() if server.in_flight.now > 10 else ok()

    server = Server(answer, seconds=30.0)
    assert run_simulated(send(paced(server), 300)) == [200] * 300
    assert server.times[-1] < 2 * 300 / 10 * 30
    late = [time for time in server.times if time > server.times[-1] / 2]
    assert len(late) < 1.4 * 150  # refusals among them: fewer than half as many as answers


def test_a_server_of_sixty_a_minute_loses_no_call():
    taken = []

    def answer(server, name):
        recent = [time for time in taken if time > now() - 60]
        if len(recent) >= 60:
            return busy(recent[0] + 60 - now())
        taken.append(now())
        return ok()

    server = Server(answer)
    assert run_simulated(send(paced(server), 250)) == [200] * 250
    assert server.times[-1] < 5 * 60


@pytest.mark.parametrize(
    ("pace", "times"),
    [
        ({"requests_per_minute": 2}, [0.0, 0.0, 60.0, 60.0, 120.0]),
        ({"tokens_per_minute": 30}, [0.0, 0.0, 0.0, 60.0, 60.0]),  # 40 bytes are 10 tokens
        ({"tokens_per_minute": 5}, [0.0, 60.0, 120.0, 180.0, 240.0]),  # each is too large: one at a time
    ],
)
def test_limits_per_minute_are_kept(pace, times):
    server = Server()
    run_simulated(_gather(paced(server, **pace), ["x" * 29] * 5))
    assert server.times == times


async def _gather(pacing, names):
    return await asyncio.gather(*(pacing.send(call(name)) for name in names))


def test_estimated_tokens_are_put_right_by_what_the_server_counted():
    async def one_after_another(pacing):
        for _ in range(3):
            await pacing.send(call("x" * 29))

    server = Server(lambda server, name: ok(tokens=25))
    run_simulated(one_after_another(paced(server, tokens_per_minute=30)))
    assert server.times == [0.0, 60.0, 120.0]
    cheap = Server(lambda server, name: ok(tokens=1))
    run_simulated(one_after_another(paced(cheap, tokens_per_minute=12)))
    assert cheap.times == [0.0, 1.0, 2.0]


def test_refused_requests_go_first_and_others_in_the_order_in_which_they_came():
    server = Server(in_turn(busy(10.0)))
    pacing = paced(server, concurrency=1)
    run_simulated(_outcomes(pacing, ["refused", "second", "third"]))
    assert [name for _, name in server.sent] == ["refused", "refused", "second", "third"]


async def _outcomes(pacing, names):
    return await asyncio.gather(*(outcome(pacing, name) for name in names))


def test_a_server_that_always_refuses_is_given_up_by_all_that_wait():
    server = Server(lambda server, name: busy(10.0))

    async def scenario():
        return await send(paced(server), 300), now()

    statuses, seconds = run_simulated(scenario())
    assert statuses == [429] * 300
    assert 100 <= seconds <= 130


def test_a_server_that_refuses_without_a_time_to_wait_is_given_up_after_the_retries():
    server = Server(lambda server, name: busy())
    pacing = paced(server, max_retries=3)

    async def scenario():
        with pytest.raises(Refused) as refused:
            await pacing.send(call())
        return refused.value.retryable, await send(pacing, 1)

    assert run_simulated(scenario()) == (False, [429])
    assert server.times == [0.0, 0.5, 1.5, 3.5, 3.5, 4.0, 5.0, 7.0]  # the next request begins afresh


@pytest.mark.parametrize("refusal", [busy(retryable=False), busy(1.0, retryable=False), busy(121.0)])
def test_where_no_waiting_helps_nobody_waits(refusal):
    server = Server(in_turn(refusal))
    pacing = paced(server)
    assert run_simulated(send(pacing, 1)) == [429]
    assert server.times == [0.0]


def test_where_the_server_asks_to_wait_for_an_hour_nobody_waits_for_it_but_what_is_out_is_answered():
    pacing = paced(Server(in_turn(ok(), ok(), busy(3600.0))), concurrency=3)

    async def scenario():
        return await send(pacing, 6), now()

    assert run_simulated(scenario()) == ([200, 200, 429, 429, 429, 429], 1.0)


def test_a_single_request_that_is_always_refused_is_given_up_though_others_succeed():
    def answer(server, name):
        return busy(5.0) if name == "too large" else ok()

    server = Server(answer)
    pacing = paced(server)

    async def scenario():
        large = asyncio.create_task(outcome(pacing, "too large"))
        while not large.done():
            await send(pacing, 1)
        return await large, now()

    status, seconds = run_simulated(scenario())
    assert status == 429
    assert server.sent.count((0.0, "too large")) == 1
    assert sum(name == "too large" for _, name in server.sent) == 16
    assert seconds < 16 * 7


def test_other_failures_are_handed_on_and_give_their_place_back():
    server = Server(in_turn(Refused(500, "no"), Refused(503, "no")))
    pacing = paced(server, concurrency=1)
    assert run_simulated(send(pacing, 3)) == [500, 503, 200]
    assert pacing.pacing.in_flight == 0


def test_an_exception_gives_its_place_back():
    pacing = paced(Server(lambda server, name: ConnectionFailed("dropped")), concurrency=1)

    async def scenario():
        return await asyncio.gather(*(pacing.send(call()) for _ in range(3)), return_exceptions=True)

    assert [type(error) for error in run_simulated(scenario())] == [ConnectionFailed] * 3
    assert pacing.pacing.in_flight == 0


@pytest.mark.parametrize("when", [0.5, 1.5, 5.0, 60.0])
def test_cancelling_leaves_nothing_running_and_gives_all_places_back(when):
    server = Server(in_turn(*[ok()] * 3, busy(30.0)))
    pacing = paced(server, concurrency=2, requests_per_minute=100)

    async def scenario():
        calls = asyncio.create_task(send(pacing, 200))
        await asyncio.sleep(when)
        calls.cancel()
        await asyncio.wait([calls])
        left = len(asyncio.all_tasks()) - 1, pacing.pacing.in_flight, server.in_flight.now
        return left, await send(pacing, 2)

    assert run_simulated(scenario()) == ((0, 0, 0), [200, 200])


def test_a_call_cancelled_in_the_moment_of_its_turn_gives_its_place_back():
    pacing = paced(Server(), concurrency=1)

    async def scenario():
        first, second = (asyncio.create_task(pacing.send(call(name))) for name in "ab")
        first.add_done_callback(lambda _: second.cancel())  # `second` was let out when `first` gave its place back
        await asyncio.wait([first, second])
        return second.cancelled(), pacing.pacing.in_flight, await send(pacing, 1)

    assert run_simulated(scenario()) == (True, 0, [200])


def test_an_answer_that_is_no_json_is_asked_for_once_more():
    async def texts(*answers):
        server = Server(in_turn(*answers))
        (reply,) = await _gather(paced(server), ["x"])
        return reply.text, len(server.sent)

    assert run_simulated(texts(Response("<html>"))) == ("{}", 2)
    assert run_simulated(texts(Response("<html>"), Response("<html>"))) == ("<html>", 2)
    assert run_simulated(texts()) == ("{}", 1)


@pytest.mark.parametrize(("calls", "sent"), [(1, 1), (2, 2)])
def test_an_answer_that_is_no_json_is_asked_for_again_only_where_the_budget_has_room_for_it(calls, sent):
    async def requests():
        server = Server(in_turn(Response("<html>")))
        with call(budget=Budget(calls=calls)) as asked:
            await paced(server).send(asked)
            taken = asked.taken(Usage(1, 1, 1))
        return len(server.sent), taken.calls

    assert run_simulated(requests()) == (sent, sent)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf", "retry-after-ms": "20"}, 0.02),
        ({"retry-after": "3", "retry-after-ms": "soon"}, 3.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:29:00 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 60.0),
    ],
)
def test_the_time_to_wait_is_read_in_each_of_its_forms(headers, seconds):
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(("status", "seconds", "is_busy"), [(429, None, True), (503, 1.0, True), (503, None, False)])
def test_which_refusals_are_those_of_a_busy_server(status, seconds, is_busy):
    assert Refused(status, "no", seconds).is_busy is is_busy


def test_a_window_without_a_limit_is_always_open():
    window = Window(None)
    window.take(0.0, 1e9)
    assert window.opens(0.0, 1e9) == 0.0
