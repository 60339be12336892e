import asyncio
import math

import httpx2
import pytest
from in_flight import InFlight
from rlm_memory_core.models.call_account import CLAIM, Claim

from rlm_memory_core.experiments.show.simulated_time import run_simulated
from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.pacing import PATIENT, Pace, Pacing
from rlm_memory_core.models.rate_limits import Refusal, Window, retry_after


def now():
    return asyncio.get_running_loop().time()


class Server(httpx2.AsyncBaseTransport):
    """Takes a second for each request; `answer(server, request)` says what comes then. `sent` keeps times and names."""

    def __init__(self, answer=lambda server, request: ok(), seconds=1.0):
        self.sent = []
        self.in_flight = InFlight()
        self._answer = answer
        self._seconds = seconds

    async def handle_async_request(self, request):
        self.sent.append((now(), request.content.decode()))
        with self.in_flight:
            response = self._answer(self, request)
            await asyncio.sleep(self._seconds if response.status_code == 200 else 0.0)
        if isinstance(response, Exception):
            raise response
        return response

    @property
    def times(self):
        return [time for time, _ in self.sent]


def ok(tokens=None):
    return httpx2.Response(200, json={} if tokens is None else {"usage": {"total_tokens": tokens}})


def busy(status=429, error=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, headers=named, json={"error": error or {"message": "slow down"}})


def in_turn(*answers):
    """A server's answers to the requests in the order in which they come, and `ok` from then on."""
    left = list(answers)
    return lambda server, request: left.pop(0) if left else ok()


def request(name="x", **extensions):
    return httpx2.Request("POST", "http://server.test", content=name, extensions=extensions)


async def send(pacing, count, **extensions):
    requests = [request(f"{number}", **extensions) for number in range(count)]
    return [reply.status_code for reply in await asyncio.gather(*map(pacing.handle_async_request, requests))]


def test_everything_goes_out_at_once_where_no_limit_is_known():
    server = Server()
    assert run_simulated(send(Pacing(server), 1_000)) == [200] * 1_000
    assert set(server.times) == {0.0}


def test_the_concurrency_is_reached_and_never_passed():
    server = Server()
    run_simulated(send(Pacing(server, Pace(concurrency=7)), 30))
    assert (server.in_flight.most, server.times[-1]) == (7, 4.0)


def test_nothing_goes_out_while_the_server_asks_to_wait_and_then_all_are_answered():
    server = Server(in_turn(busy(retry_after="20")))
    pacing = Pacing(server)

    async def scenario():
        first = asyncio.create_task(send(pacing, 1))
        await asyncio.sleep(5)
        return [*await send(pacing, 3), *await first]

    assert run_simulated(scenario()) == [200] * 4
    assert server.times[:2] == [0.0, 20.0]
    assert min(server.times[1:]) >= 20.0


def test_concurrency_is_halved_once_for_a_burst_of_refusals_and_climbs_back_as_calls_succeed():
    def answer(server, request):
        return busy(retry_after="1") if len(server.sent) > 960 and now() == 0.0 else ok()

    server = Server(answer)
    pacing = Pacing(server)
    limits = []

    async def scenario():
        calls = asyncio.create_task(send(pacing, 1_000))
        while not calls.done():
            limits.append(pacing.limit)
            await asyncio.sleep(0.5)
        return await calls

    assert run_simulated(scenario()) == [200] * 1_000
    assert limits[0] == math.inf
    lowered = [limit for limit in limits if limit < math.inf]
    assert lowered[0] == 500.0  # of the 1,000 that were out, however many were refused
    assert lowered == sorted(lowered)
    assert lowered[-1] > 501


def test_a_server_that_takes_ten_at_once_loses_no_call_and_is_not_asked_in_vain_for_long():
    def answer(server, request):
        return busy() if server.in_flight.now > 10 else ok()

    server = Server(answer, seconds=30.0)
    assert run_simulated(send(Pacing(server), 300)) == [200] * 300
    assert server.times[-1] < 2 * 300 / 10 * 30
    late = [time for time in server.times if time > server.times[-1] / 2]
    assert len(late) < 1.4 * 150  # refusals among them: fewer than half as many as answers


def test_a_server_of_sixty_a_minute_loses_no_call():
    taken = []

    def answer(server, request):
        recent = [time for time in taken if time > now() - 60]
        if len(recent) >= 60:
            return busy(retry_after=str(recent[0] + 60 - now()))
        taken.append(now())
        return ok()

    server = Server(answer)
    assert run_simulated(send(Pacing(server), 250)) == [200] * 250
    assert server.times[-1] < 5 * 60


@pytest.mark.parametrize(
    ("pace", "times"),
    [
        (Pace(requests_per_minute=2), [0.0, 0.0, 60.0, 60.0, 120.0]),
        (Pace(tokens_per_minute=30), [0.0, 0.0, 0.0, 60.0, 60.0]),  # 40 bytes are 10 tokens
        (Pace(tokens_per_minute=5), [0.0, 60.0, 120.0, 180.0, 240.0]),  # each is too large: one at a time
    ],
)
def test_limits_per_minute_are_kept(pace, times):
    server = Server()
    run_simulated(_gather(Pacing(server, pace), ["x" * 40] * 5))
    assert server.times == times


async def _gather(pacing, contents):
    return await asyncio.gather(*(pacing.handle_async_request(request(content)) for content in contents))


def test_estimated_tokens_are_put_right_by_what_the_server_counted():
    async def one_after_another(pacing):
        for _ in range(3):
            await pacing.handle_async_request(request("x" * 40))

    server = Server(lambda server, request: ok(tokens=25))
    run_simulated(one_after_another(Pacing(server, Pace(tokens_per_minute=30))))
    assert server.times == [0.0, 60.0, 120.0]
    cheap = Server(lambda server, request: ok(tokens=1))
    run_simulated(one_after_another(Pacing(cheap, Pace(tokens_per_minute=12))))
    assert cheap.times == [0.0, 1.0, 2.0]


def test_refused_requests_go_first_and_those_of_a_fan_out_last():
    server = Server(in_turn(busy(retry_after="10")))
    pacing = Pacing(server, Pace(concurrency=1))

    async def scenario():
        calls = [pacing.handle_async_request(request("refused", **{PATIENT: True}))]
        calls += [pacing.handle_async_request(request(f"sub-agent {n}", **{PATIENT: True})) for n in range(2)]
        calls += [pacing.handle_async_request(request("root"))]
        await asyncio.gather(*calls)

    run_simulated(scenario())
    assert [name for _, name in server.sent] == ["refused", "refused", "root", "sub-agent 0", "sub-agent 1"]


def test_a_server_that_always_refuses_is_given_up_by_all_that_wait():
    server = Server(lambda server, request: busy(retry_after="10"))

    async def scenario():
        return await send(Pacing(server), 300), now()

    statuses, seconds = run_simulated(scenario())
    assert statuses == [429] * 300
    assert 100 <= seconds <= 130


def test_a_server_that_refuses_without_a_time_to_wait_is_given_up_after_the_retries():
    server = Server(lambda server, request: busy())
    pacing = Pacing(server, max_retries=3)

    async def scenario():
        (reply,) = await _gather(pacing, ["x"])
        return reply.headers["x-should-retry"], await send(pacing, 1)

    assert run_simulated(scenario()) == ("false", [429])
    assert server.times == [0.0, 0.5, 1.5, 3.5, 3.5, 4.0, 5.0, 7.0]  # the next request begins afresh


@pytest.mark.parametrize(
    "refusal",
    [
        busy(error={"code": "insufficient_quota"}),
        busy(error={"type": "insufficient_quota"}, retry_after="1"),
        busy(error={"message": "Request too large for m: Limit 30000, Requested 40000"}, retry_after="1"),
        busy(x_should_retry="false"),
        busy(retry_after="121"),
    ],
)
def test_where_no_waiting_helps_nobody_waits(refusal):
    server = Server(in_turn(refusal))
    pacing = Pacing(server)
    assert run_simulated(send(pacing, 1)) == [429]
    assert server.times == [0.0]


def test_where_the_server_asks_to_wait_for_an_hour_nobody_waits_for_it_but_what_is_out_is_answered():
    pacing = Pacing(Server(in_turn(ok(), ok(), busy(retry_after="3600"))), Pace(concurrency=3))

    async def scenario():
        return await send(pacing, 6), now()

    assert run_simulated(scenario()) == ([200, 200, 429, 429, 429, 429], 1.0)


def test_a_single_request_that_is_always_refused_is_given_up_though_others_succeed():
    def answer(server, request):
        return busy(retry_after="5") if request.content == b"too large" else ok()

    server = Server(answer)
    pacing = Pacing(server)

    async def scenario():
        large = asyncio.create_task(pacing.handle_async_request(request("too large")))
        while not large.done():
            await send(pacing, 1)
        return (await large).status_code, now()

    status, seconds = run_simulated(scenario())
    assert status == 429
    assert server.sent.count((0.0, "too large")) == 1
    assert sum(name == "too large" for _, name in server.sent) == 16
    assert seconds < 16 * 7


def test_other_failures_are_handed_on_and_give_their_place_back():
    server = Server(in_turn(httpx2.Response(500), httpx2.Response(503)))
    pacing = Pacing(server, Pace(concurrency=1))
    assert run_simulated(send(pacing, 3)) == [500, 503, 200]
    assert pacing.in_flight == 0


def test_an_exception_gives_its_place_back():
    class Broken(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request):
            raise httpx2.ReadError("dropped")

    pacing = Pacing(Broken(), Pace(concurrency=1))

    async def scenario():
        return await asyncio.gather(*(pacing.handle_async_request(request()) for _ in range(3)), return_exceptions=True)

    assert [type(error) for error in run_simulated(scenario())] == [httpx2.ReadError] * 3
    assert pacing.in_flight == 0


@pytest.mark.parametrize("when", [0.5, 1.5, 5.0, 60.0])
def test_cancelling_leaves_nothing_running_and_gives_all_places_back(when):
    server = Server(in_turn(*[ok()] * 3, busy(retry_after="30")))
    pacing = Pacing(server, Pace(concurrency=2, requests_per_minute=100))

    async def scenario():
        calls = asyncio.create_task(send(pacing, 200))
        await asyncio.sleep(when)
        calls.cancel()
        await asyncio.wait([calls])
        left = len(asyncio.all_tasks()) - 1, pacing.in_flight, server.in_flight.now
        return left, await send(pacing, 2)

    assert run_simulated(scenario()) == ((0, 0, 0), [200, 200])


def test_a_call_cancelled_in_the_moment_of_its_turn_gives_its_place_back():
    pacing = Pacing(Server(), Pace(concurrency=1))

    async def scenario():
        first, second = (asyncio.create_task(pacing.handle_async_request(request(name))) for name in "ab")
        first.add_done_callback(lambda _: second.cancel())  # `second` was let out when `first` gave its place back
        await asyncio.wait([first, second])
        return second.cancelled(), pacing.in_flight, await send(pacing, 1)

    assert run_simulated(scenario()) == (True, 0, [200])


def test_an_answer_that_is_no_json_is_asked_for_once_more():
    async def contents(*answers):
        server = Server(in_turn(*answers))
        (reply,) = await _gather(Pacing(server), ["x"])
        return reply.content, len(server.sent)

    page = httpx2.Response(200, html="<html>")
    assert run_simulated(contents(page)) == (b"{}", 2)
    assert run_simulated(contents(page, page)) == (b"<html>", 2)
    assert run_simulated(contents()) == (b"{}", 1)


@pytest.mark.parametrize(("calls", "sent"), [(1, 1), (2, 2)])
def test_an_answer_that_is_no_json_is_asked_for_again_only_where_the_budget_has_room_for_it(calls, sent):
    async def contents():
        server = Server(in_turn(httpx2.Response(200, html="<html>")))
        with Claim(Budget(calls=calls), None) as claim:
            await claim.hold(0, replies=False)
            request = httpx2.Request("POST", "http://server.test", content="x", extensions={CLAIM: claim})
            await Pacing(server).handle_async_request(request)
        return len(server.sent), 1 + claim.further

    assert run_simulated(contents()) == (sent, sent)


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
    assert retry_after(httpx2.Headers(headers)) == seconds


@pytest.mark.parametrize("response", [ok(), httpx2.Response(500), httpx2.Response(503), busy(404, retry_after="1")])
def test_what_is_no_refusal(response):
    assert Refusal.of(response) is None


def test_a_window_without_a_limit_is_always_open():
    window = Window(None)
    window.take(0.0, 1e9)
    assert window.opens(0.0, 1e9) == 0.0


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"requests_per_minute": 0.1}, {"tokens_per_minute": math.nan}])
def test_wrong_limits_are_told(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Pace(**wrong)
