import asyncio
from collections import Counter
from functools import partial

import httpx2
import pytest
from in_flight import InFlight
from paper import PaperRLM

from rlm_memory_core import Budget, Coverage, Limits, MemoryRLM, Usage
from rlm_memory_core.models import background
from rlm_memory_core.models.types import Response
from rlm_memory_core.query.evidence import is_not_found
from rlm_memory_core.query.prompts import NOT_FOUND, session_prompt
from rlm_memory_core.query.subagents import NO_PIECE, SubAgents
from rlm_memory_core.search.word_index import Piece


def agents(llm, concurrency=100, **options):
    return SubAgents(llm, asyncio.Semaphore(concurrency), **options)


def assigned(texts):
    return [(session_prompt(text, None, "Who?"), Piece(0, None, text)) for text in texts]


def ask(subagents, texts):
    """What sub-agents reply on these texts; an error's text is in no reply."""
    return [call.reply for call in background.run(subagents.ask_all(assigned(texts)))]


def fails(messages):
    return httpx2.Response(500, json={"error": {"message": "secret error text"}})


def by_number(messages):
    """Session n says: nothing where n is odd, a failure where it is a multiple of 4, its number otherwise."""
    number = int(messages[1]["content"].split("number ")[1].split()[0])
    if number % 2:
        return "NOT_FOUND"
    return fails(messages) if number % 4 == 0 else f"found {number}"


def test_each_prompt_gets_one_call(scripted):
    ask(agents(scripted(["a", "b"])), ["one", "two"])
    assert {request["messages"][1]["content"] for request in scripted.requests} == {  # in any order
        session_prompt("one", None, "Who?"),
        session_prompt("two", None, "Who?"),
    }


def test_coverage_counts_every_call(scripted):
    subagents = agents(scripted(by_number))
    replies = ask(subagents, [f"number {number}" for number in range(10)])
    assert replies == [
        "", NOT_FOUND, "found 2", NOT_FOUND, "", NOT_FOUND, "found 6", NOT_FOUND, "", NOT_FOUND,
    ]  # fmt: skip
    coverage = Coverage.of(subagents.calls)
    assert (coverage.asked, coverage.found, coverage.not_found, sum(coverage.failed.values())) == (10, 2, 5, 3)
    assert coverage.share == 0.7
    assert str(coverage).startswith("asked 10 sub-agents: 2 found something, 5 found nothing, 3 failed (3x ")


def test_a_line_of_coverage_names_the_commonest_reasons_alone():
    coverage = Coverage(9, 1, 1, {"slow": 3, "away": 2, "odd": 1, "full": 1})
    assert (coverage.failures, coverage.reasons) == (7, "3x slow; 2x away; 1x odd; 1x for other reasons")
    assert str(coverage) == f"asked 9 sub-agents: 1 found something, 1 found nothing, 7 failed ({coverage.reasons})"


def test_coverage_of_no_calls():
    assert (Coverage.of(()).share, str(Coverage.of(()))) == (
        None,
        "asked 0 sub-agents: 0 found something, 0 found nothing",
    )


def test_coverage_of_one_call():
    assert str(Coverage(1, 1, 0, {})) == "asked 1 sub-agent: 1 found something, 0 found nothing"


def test_the_text_of_an_error_is_nowhere_in_the_findings(scripted):
    subagents = agents(scripted(fails))
    replies = [*ask(subagents, ["one"]), background.run(subagents.ask("one")).text]
    assert replies == ["", "NOT_READ"]
    assert all(call.reply == "" and not call.found for call in subagents.calls)
    assert "secret error text" in subagents.calls[0].error


def test_replies_keep_the_order_of_the_sessions_whatever_comes_back_first(scripted):
    async def answer(messages):
        number = int(messages[1]["content"].split("number ")[1].split()[0])
        while len(subagents.calls) < 4 - number:  # until the calls on all later sessions have ended
            await asyncio.sleep(0.001)
        return str(number)

    subagents = agents(scripted(answer))
    assert ask(subagents, [f"number {number}" for number in range(5)]) == list("01234")
    assert [call.reply for call in subagents.calls] == list("43210")


def test_the_bound_on_calls_in_flight_is_reached_and_never_passed(scripted):
    in_flight = InFlight()

    async def answer(messages):
        with in_flight:
            await asyncio.sleep(0.01)
        return "x"

    subagents = agents(scripted(answer), concurrency=7)
    ask(subagents, ["text"] * 30)
    assert in_flight.most == 7
    assert len(subagents.calls) == 30


def test_a_failing_call_gives_its_slot_back(scripted):
    subagents = agents(scripted(fails), concurrency=1)
    assert ask(subagents, ["one", "two", "three"]) == [""] * 3


def test_no_sessions_give_no_replies(scripted):
    assert ask(agents(scripted([])), []) == []


@pytest.mark.parametrize(
    "reply",
    [
        "NOT_FOUND",
        " not_found.\n",
        "`NOT_FOUND`",
        '"NOT_FOUND"',
        "**NOT_FOUND**",
        "'Not_Found'.",
        "<analysis>NOT_FOUND</analysis>",
    ],
)
def test_not_found_is_recognised_however_it_is_dressed_up(scripted, reply):
    assert is_not_found(reply)
    assert ask(agents(scripted([reply])), ["one"]) == [NOT_FOUND]


@pytest.mark.parametrize("reply", ["The file was NOT_FOUND, he said.", "not found", "NOT_FOUND_2", "Mochi"])
def test_a_finding_that_speaks_of_not_found_is_a_finding(reply):
    assert not is_not_found(reply)


def test_a_budget_that_ends_in_mid_fan_out_stops_the_rest_and_keeps_what_was_paid_for(scripted):
    budget = Budget(calls=3)
    subagents = agents(scripted(lambda messages: "found"), concurrency=1, budget=budget)
    assert ask(subagents, ["text"] * 8) == ["found"] * 3 + [""] * 5
    assert len(scripted.requests) == 3
    assert Coverage.of(subagents.calls).failed == {"the budget of 3 calls is spent (3)": 5}


def test_a_call_that_the_budget_kept_from_being_sent_counts_as_no_call(scripted):
    budget = Budget(calls=1)
    subagents = agents(scripted(lambda messages: "found"), concurrency=1, budget=budget)
    ask(subagents, ["text"] * 3)
    assert sum((call.usage for call in subagents.calls), Usage()) == budget.spent


def test_a_call_says_what_was_read_and_what_it_took(scripted):
    subagents = agents(scripted([" Mochi. "], rates=(1.0, 0.0)))
    ask(subagents, ["[Turn 1][user]: My cat is Mochi."])
    (call,) = subagents.calls
    assert (call.session, call.reply, call.found) == ("[Turn 1][user]: My cat is Mochi.", "Mochi.", True)
    assert call.usage.completion_tokens == 8
    assert call.cost_usd == call.usage.prompt_tokens
    assert call.started >= 0
    assert call.seconds >= 0


def test_a_prompt_of_the_codes_own_reads_no_session(scripted):
    subagents = agents(scripted(["fine"]))
    assert background.run(subagents.ask("Compare A with B.")).reply == "fine"
    assert subagents.calls[0].session == ""


async def late_once(messages, asked):
    """A server's answer, at once but for the first time that session 7 is asked for."""
    number = int(messages[1]["content"].split("number ")[1].split()[0])
    asked[number] += 1
    await asyncio.sleep(60 if number == 7 and asked[number] == 1 else 0.01)
    return f"found {asked[number]}"


def test_a_late_call_is_sent_again_and_both_are_counted_and_paid_for(scripted):
    budget = Budget(calls=1_000)
    subagents = agents(scripted(partial(late_once, asked=Counter()), rates=(1.0, 0.0)), budget=budget, hedge=0.05)
    replies = ask(subagents, [f"number {number}" for number in range(20)])
    assert replies[7] == "found 2"
    assert Coverage.of(subagents.calls).copies == 1
    (call,) = [call for call in subagents.calls if call.copies]
    assert call.session == "number 7"
    assert call.usage.calls == 2
    assert call.cost_usd == call.usage.prompt_tokens
    assert budget.spent == sum((call.usage for call in subagents.calls), Usage())
    assert budget.spent.calls == len(scripted.requests) == 21


@pytest.mark.parametrize("limit", ["calls", "usd"])
def test_copies_cannot_pass_the_budget(scripted, as_completion, limit):
    async def answer(messages):
        number = int(messages[1]["content"].split("number ")[1].split()[0])
        await asyncio.sleep(0.01)
        while number < 8 and len(scripted.requests) < 101:  # late until a copy was sent
            await asyncio.sleep(0.01)
        return httpx2.Response(200, json=as_completion("found", usage={"prompt_tokens": 9, "completion_tokens": 250}))

    budget = Budget(**{limit: 101})  # a dollar a call: 250 tokens are what a reply is expected to have
    subagents = agents(scripted(answer, rates=(0.0, 1 / 250), max_tokens=250), budget=budget, hedge=0.05)
    ask(subagents, [f"number {number}" for number in range(100)])
    assert Coverage.of(subagents.calls).found == 100
    assert len(scripted.requests) <= budget.spent.calls == 101  # a copy may be overtaken before it is on the wire


@pytest.mark.parametrize("failure", [httpx2.Response(500), httpx2.ReadError("dropped")], ids=repr)
def test_a_copy_that_fails_like_its_call_is_counted(scripted, failure):
    async def answer(messages):
        number = int(messages[1]["content"].split("number ")[1].split()[0])
        asked[number] += 1
        await asyncio.sleep(0.01)
        while number == 7 and asked[7] == 1:  # late until a copy was sent
            await asyncio.sleep(0.01)
        return failure if number == 7 else "found"

    asked, budget = Counter(), Budget(calls=1_000)
    subagents = agents(scripted(answer), budget=budget, hedge=0.05)
    ask(subagents, [f"number {number}" for number in range(20)])
    assert asked[7] == 2
    assert budget.spent.calls == len(scripted.requests) == 21
    assert sum(call.usage.calls for call in subagents.calls) == 21
    assert Coverage.of(subagents.calls).copies == 1


def test_what_the_root_model_is_told_does_not_depend_on_copies(scripted):
    asked = Counter()
    subagents = agents(scripted(partial(late_once, asked=asked)), hedge=0.05)
    ask(subagents, [f"number {number}" for number in range(20)])
    asked[7] = 1
    unhedged = agents(scripted(partial(late_once, asked=asked)))
    ask(unhedged, [f"number {number}" for number in range(20)])
    assert str(Coverage.of(subagents.calls)) == str(Coverage.of(unhedged.calls))
    assert (Coverage.of(subagents.calls).copies, Coverage.of(unhedged.calls).copies) == (1, 0)


def test_recorded_calls_do_not_merge_a_copy_with_its_call(scripted):
    model = scripted(partial(late_once, asked=Counter()), recorded="auto")
    subagents = agents(model, hedge=0.05)
    ask(subagents, [f"number {number}" for number in range(20)])
    assert (Coverage.of(subagents.calls).copies, len(scripted.requests)) == (1, 21)
    again = agents(model, hedge=0.05)
    ask(again, [f"number {number}" for number in range(20)])
    assert (Coverage.of(again.calls).copies, len(scripted.requests)) == (0, 21)


def test_cancelling_a_fan_out_leaves_nothing_running_and_gives_the_slots_back(scripted):
    in_flight = InFlight()

    async def answer(messages):
        with in_flight:
            await asyncio.sleep(60)

    async def scenario():
        slots = asyncio.Semaphore(10)
        subagents = SubAgents(scripted(answer), slots, hedge=0.05)
        before = asyncio.all_tasks()
        asking = asyncio.create_task(subagents.ask_all([("text", NO_PIECE)] * 50))
        while in_flight.now < 10:
            await asyncio.sleep(0.001)
        asking.cancel()
        await asyncio.wait([asking])
        return in_flight.now, asyncio.all_tasks() - before, slots._value

    assert background.run(scenario()) == (0, set(), 10)


def test_a_fan_out_that_breaks_stops_its_other_calls():
    class Broken:
        calls = 0

        async def complete(self, *_):
            self.calls += 1
            assert self.calls < 2 or 1 / 0
            await asyncio.sleep(60)

    async def scenario():
        before = asyncio.all_tasks()
        with pytest.raises(ZeroDivisionError):
            await agents(Broken()).ask_all([("text", NO_PIECE)] * 2)
        return asyncio.all_tasks() - before

    assert background.run(scenario()) == set()


POOL = "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n    "


@pytest.mark.parametrize(
    ("code", "batches"),
    [
        (f"{POOL}print(list(pool.map(llm_query, sessions)))", [1] * 4),
        (f"{POOL}found = [pool.submit(llm_query_parallel, [s], None, question) for s in sessions]", [1] * 4),
        ("print([llm_query(session) for session in sessions])", [1, 2, 3, 4]),
        ("for half in (sessions[:2], sessions[2:]):\n    llm_query_parallel(half, [None] * 2, question)", [1, 1, 2, 2]),
        ("llm_query(f'Of these: {llm_query_parallel(sessions[:3], session_dates[:3], question)}')", [1, 1, 1, 2]),
    ],
)
def test_calls_are_of_one_batch_that_the_code_had_in_flight_at_once(store, root_and_subagents, code, batches):
    class Timed:
        """A backend whose sub-agents take a second each, and whose root model takes none."""

        def __init__(self, inner):
            self.inner = inner

        async def send(self, request):
            response = await self.inner.send(request)
            return Response(response.text, 1.0 if '"found"' in response.text else 1e-9)

    for number in range(4):
        store.start_session()
        store.add("user", f"Today I read page {number}.")
    program = [f"```python\n{code}\n```", "FINAL(done)"]
    engine = PaperRLM(root_and_subagents(program, lambda prompt: "found", recorded="auto", wrap=Timed))
    live, replayed = (engine.query(store, "What?").trace for _ in range(2))
    assert [call.batch for call in live.calls] == [call.batch for call in replayed.calls] == batches
    assert (live.replayed_seconds, replayed.replayed_seconds) == (0.0, pytest.approx(max(batches)))


LOOP = "```repl\nwhile True: pass\n```"


def test_after_a_lost_worker_replies_are_free_and_what_failed_is_asked_again(store, root_and_subagents):
    for said in ("My cat is called Mochi.", "I bought a red bicycle.", "It rains."):
        store.start_session()
        store.add("user", said)
    asked = []

    def subagent(prompt):
        asked.append(prompt)
        is_first = sum("bicycle" in each for each in asked) == 1
        return httpx2.Response(400) if "bicycle" in prompt and is_first else "NOT_FOUND"

    by_text = "```repl\nprint(llm_query_parallel(sessions, session_dates, question))\n```"
    by_position = "```repl\nprint(llm_query_parallel([0, 1, 2]))\n```"
    llm = root_and_subagents([by_text, LOOP, by_position, "FINAL(x)"], subagent)
    answer = PaperRLM(llm, limits=Limits(run_seconds=1, query_subcalls=5)).query(store, "What?")
    outputs = [step.output for step in answer.trace.steps]
    assert outputs[0] == "['NOT_FOUND', 'NOT_READ', 'NOT_FOUND']"
    assert "No reply of a sub-agent is lost" in outputs[1]
    assert outputs[2] == "['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND']"
    assert len(asked) == answer.coverage.asked == 4


def test_after_a_lost_worker_read_shows_again_what_it_found(store, root_and_subagents):
    store.add("user", "My cat is called Mochi.")
    asked = []

    def subagent(prompt):
        asked.append(prompt)
        return '- [Turn 1] "My cat is called Mochi.": its name'

    llm = root_and_subagents(
        ["```repl\nfound = read(1)\n```", LOOP, "```repl\nprint(read(1))\n```", "FINAL(x)"], subagent
    )
    answer = MemoryRLM(llm, limits=Limits(run_seconds=1)).query(store, "What?")
    assert "its name" in answer.trace.steps[2].output
    assert len(asked) == answer.coverage.asked == 1
