import asyncio
import json

import pytest
from in_flight import InFlight
from simulated_time import run_simulated

from rlm_memory_core import Usage
from rlm_memory_core.models.budget import Budget, ModelCall
from rlm_memory_core.models.hedging import Siblings
from rlm_memory_core.models.pacing import Pacing
from rlm_memory_core.models.pipeline import Pipeline
from rlm_memory_core.models.types import ConnectionFailed, Refused, Request, Response

BROKEN = Refused(500, "broken")


class Server:
    """A backend that takes `seconds(number, copy)` for a request, or (seconds, an error to raise then)."""

    def __init__(self, seconds):
        self.sent = []
        self.in_flight = InFlight()
        self._seconds = seconds

    async def send(self, request):
        number = request.body["number"]
        copy = sum(sent == number for _, sent in self.sent)
        self.sent.append((asyncio.get_running_loop().time(), number))
        with self.in_flight:
            outcome = self._seconds(number, copy)
            seconds, error = outcome if isinstance(outcome, tuple) else (outcome, None)
            await asyncio.sleep(seconds)
        if error is not None:
            raise error
        return Response(json.dumps({"number": number, "copy": copy}))

    @property
    def copies(self):
        """The times at which second copies went out."""
        numbers = [number for _, number in self.sent]
        return [time for at, (time, number) in enumerate(self.sent) if number in numbers[:at]]


def numbered(number, budget=None):
    return ModelCall(Request("", {"number": number}), budget)


def fan_out(seconds, count, share=0.05, *, slots=None, budget=None, pace=None, calls=None):
    """The responses (or errors), the siblings, the server and the time of a fan-out; `calls` gets its calls."""
    server = Server(seconds)
    calls = {} if calls is None else calls

    async def scenario():
        semaphore = asyncio.Semaphore(slots or count)
        siblings = Siblings(share, semaphore)
        pipeline = Pipeline(Pacing(server, 0, **(pace or {})))

        async def ask(number):
            async with semaphore:
                with numbered(number, budget) as calls[number]:
                    response = await pipeline.send(calls[number], siblings)
                    calls[number].charge(Usage(calls=1 + calls[number].copies), 0.0)
                    return response

        replies = await asyncio.gather(*map(ask, range(count)), return_exceptions=True)
        return replies, siblings, server, asyncio.get_running_loop().time()

    return run_simulated(scenario())


def late(*numbers, copy_takes=1.0):
    """One second for each call, but 100 for the first copies of the given ones."""
    return lambda number, copy: copy_takes if copy else 100.0 if number in numbers else 1.0


def test_a_late_call_is_sent_again_and_the_first_answer_wins():
    replies, siblings, server, seconds = fan_out(late(7), 50)
    assert [reply.body["copy"] for reply in replies] == [int(number == 7) for number in range(50)]
    assert server.copies == [1.5]  # times the siblings' median of a second
    assert (seconds, siblings.copies, server.in_flight.now) == (2.5, 1, 0)


def test_both_copies_are_counted_and_the_seconds_are_those_of_the_call():
    calls = {}
    replies, *_ = fan_out(late(7), 50, calls=calls)
    assert [number for number, call in calls.items() if call.copies] == [7]
    assert (calls[7].copies, replies[7].seconds) == (1, 2.5)
    assert replies[0].seconds == 1.0


def test_the_first_copy_wins_where_it_is_first():
    replies, _, server, seconds = fan_out(late(7, copy_takes=1000.0), 50)
    assert replies[7].body["copy"] == 0
    assert (seconds, len(server.sent), server.in_flight.now) == (100.0, 51, 0)


@pytest.mark.parametrize(("count", "most"), [(4, 1), (19, 1), (20, 1), (29, 1), (30, 2), (50, 3), (100, 5), (500, 25)])
def test_the_share_of_extra_calls_is_kept(count, most):
    def straggling(number, copy):
        return 1.0 if number <= count / 2 else 100.0 + number

    _, siblings, server, _ = fan_out(straggling, count)
    assert siblings.copies == most
    assert len(server.sent) == count + most


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_siblings_tell_nothing(count):
    _, siblings, _, _ = fan_out(late(0), count)
    assert siblings.copies == 0


def test_in_a_small_fan_out_only_a_call_of_three_times_the_median_is_sent_again():
    assert fan_out(lambda number, copy: 2.9 if number == 0 else 1.0, 10)[1].copies == 0
    _, _, server, seconds = fan_out(late(0), 10)
    assert (server.copies, seconds) == ([3.0], 4.0)


def test_where_more_are_late_than_copies_are_left_the_copies_go_out_at_three_times_the_median():
    _, _, server, _ = fan_out(late(*range(10)), 50)
    assert server.copies == [3.0] * 3


def test_calls_that_take_the_same_time_are_sent_once():
    _, siblings, server, _ = fan_out(lambda number, copy: 1.0 + number / 500, 100)
    assert (siblings.copies, len(server.sent)) == (0, 100)


@pytest.mark.parametrize("options", [{"share": 0.0}, {"budget": Budget(calls=50)}])
def test_no_copies_where_there_is_no_share_or_no_money_for_them(options):
    _, siblings, _, seconds = fan_out(late(7), 50, **options)
    assert siblings.copies == 0
    assert seconds == pytest.approx(100.0)


def test_copies_go_out_at_once_for_no_more_than_the_budget_has_room_for():
    _, siblings, server, _ = fan_out(late(*range(10)), 100, budget=Budget(calls=102))
    assert (siblings.copies, len(server.sent)) == (2, 102)


def test_a_copy_takes_a_free_slot_and_never_one_that_a_call_waits_for():
    _, _, server, seconds = fan_out(late(0), 50, slots=10)
    # 9 slots for the other 49 calls: the last goes out at 5.0 and is the only one beside the late call
    assert max(time for time, number in server.sent if number and (time, number) not in server.copies) == 5.0
    assert server.copies == [pytest.approx(5.05)]
    assert seconds == pytest.approx(6.05)


def test_a_slot_that_the_last_sibling_gives_back_is_used_as_well():
    _, _, server, seconds = fan_out(late(0), 10, slots=2)
    assert len(server.copies) == 1
    assert seconds == pytest.approx(9.05 + 1.0)


def test_a_copy_is_not_sent_past_the_clients_own_limits():
    _, _, server, _ = fan_out(late(7), 50, pace={"requests_per_minute": 50})
    assert [round(time) for time in server.copies] == [60]


def test_waiting_for_a_turn_is_not_being_late():
    _, siblings, server, seconds = fan_out(lambda number, copy: 1.0, 50, pace={"concurrency": 1})
    assert (siblings.copies, len(server.sent), seconds) == (0, 50, 50.0)


def test_a_refused_call_is_timed_from_when_it_goes_out_again():
    refusal = Refused(429, "slow down", 50.0, retryable=True)

    def seconds(number, copy):
        return (0.5, refusal) if number == 7 and not copy else 1.0

    _, siblings, server, total = fan_out(seconds, 50)
    assert (siblings.copies, len(server.sent), total) == (0, 51, 51.5)


@pytest.mark.parametrize("failure", [BROKEN, ConnectionFailed("dropped")], ids=repr)
def test_a_failure_waits_for_the_other_copy(failure):
    def first_fails(number, copy):
        return 1.0 if number != 7 else 2.0 if copy else (3.0, failure)

    def second_fails(number, copy):
        return 1.0 if number != 7 else (0.5, failure) if copy else 5.0

    for seconds, total, winner in ((first_fails, 3.5, 1), (second_fails, 5.0, 0)):
        replies, siblings, _, took = fan_out(seconds, 50)
        assert (replies[7].body["copy"], siblings.copies, took) == (winner, 1, total)


def test_where_both_fail_the_first_failure_is_told():
    dropped = ConnectionFailed("dropped")
    replies, *_ = fan_out(lambda n, copy: 1.0 if n != 7 else (0.2, dropped) if copy else (9.0, BROKEN), 50)
    assert replies[7] is dropped
    calls = {}
    replies, *_ = fan_out(lambda n, copy: 1.0 if n != 7 else (9.0, dropped) if copy else (2.0, BROKEN), 50, calls=calls)
    assert (replies[7], calls[7].copies) == (BROKEN, 1)


def test_failed_calls_say_nothing_of_how_long_a_call_takes():
    failed = BROKEN
    _, siblings, _, seconds = fan_out(lambda number, copy: (0.01, failed) if number < 49 else 1.0, 50)
    assert (siblings.copies, seconds) == (0, 1.0)


def test_an_unreadable_answer_is_no_sibling_that_answered():
    """Three calls are too few for a copy, even if one of them is sent twice."""

    class Unreadable(Server):
        async def send(self, request):
            response = await super().send(request)
            return Response("<html>") if request.body["number"] == 0 and len(self.sent) <= 3 else response

    async def scenario():
        server, siblings = (
            Unreadable(lambda number, copy: 9.0 if number == 2 else 0.1),
            Siblings(0.05, asyncio.Semaphore(3)),
        )
        pipeline = Pipeline(Pacing(server, 0))
        await asyncio.gather(*(pipeline.send(numbered(number), siblings) for number in range(3)))
        return siblings.copies, len(server.sent)

    assert run_simulated(scenario()) == (0, 4)


@pytest.mark.parametrize("when", [0.5, 1.2, 1.6])
def test_cancelling_leaves_nothing_running(when):
    server = Server(late(7, copy_takes=50.0))

    async def scenario():
        pacing, siblings = Pacing(server, 0), Siblings(0.05, asyncio.Semaphore(50))
        calls = asyncio.gather(*(siblings.send(pacing, numbered(number)) for number in range(50)))
        await asyncio.sleep(when)
        calls.cancel()
        await asyncio.wait([calls])
        left = len(asyncio.all_tasks()) - 1, server.in_flight.now, pacing.in_flight
        sent = len(server.sent)
        await asyncio.sleep(1000)
        return left, len(server.sent) - sent

    assert run_simulated(scenario()) == ((0, 0, 0), 0)
