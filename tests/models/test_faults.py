"""What a query makes of a server that misbehaves, over real HTTP: coverage, usage, money, and nothing left behind."""

import asyncio
import json
import re
import time
from collections import Counter

import pytest
from fault_server import FAULTS, KEY, MARK, always, first, lognormal, some
from paper import PaperRLM

from rlm_memory_core import Budget, Usage, connect
from rlm_memory_core.models import background, openai_backend, pipeline
from rlm_memory_core.models.openai_backend import retry_after
from rlm_memory_core.query.answer import QueryFailed
from rlm_memory_core.query.prompts import CUT_OFF, NOT_READ, SUBAGENT_SYSTEM

CODE = "```repl\nprint(llm_query_parallel(sessions, session_dates, question))\n```"
RATES = (1.0, 3.0)

FAILS = {
    "429 seconds": "answered 429 for m: slow down",
    "429 date": "answered 429 for m: slow down",
    "429 ms": "answered 429 for m: slow down",
    "500": "answered 500",
    "502 html": "answered 502 for m: 502 Bad Gateway",
    "400": "answered 400 .*too long",
    "403 with key": r"answered 403 .*the key \[key\] may not",
    "dropped before": "cannot reach",
    "dropped in mid-body": "cannot reach",
    "never answers": "did not answer within",
    "invalid json": "no chat completion",
    "html for an answer": "no chat completion",
    "empty choices": r"empty \(finish reason: None\)",
    "refusal": "it refused",
    "content filter": "content filter",
    "only reasoning": r"empty \(finish reason: length\)",
}
"""The faults that leave nothing to use, and what is said of them."""

RETRIED = ("429 seconds", "429 date", "429 ms", "500", "502 html", "dropped before", "dropped in mid-body")
FLEETING = (*RETRIED, "never answers")
UNREADABLE = ("invalid json", "html for an answer")  # asked for once more


def is_subagent(body):
    return body["messages"][0]["content"] == SUBAGENT_SYSTEM


def play(messages):
    """The root model asks all sub-agents and answers; a sub-agent finds the cat in the sessions that have one."""
    if messages[0]["content"] == SUBAGENT_SYSTEM:
        return "The cat is called Mochi." if "Mochi" in messages[1]["content"] else "NOT_FOUND"
    return CODE if len(messages) == 2 else "FINAL(Mochi)"


@pytest.fixture
def waits(monkeypatch):
    """The seconds that the client, or pacing for the server, would have waited before each retry."""
    seconds = []

    async def wait(delay):
        seconds.append(delay)

    def hurried(headers):
        told = retry_after(headers)
        if told is None:
            return None
        seconds.append(told)
        return 0.0

    monkeypatch.setattr(pipeline, "sleep", wait)
    monkeypatch.setattr(openai_backend, "retry_after", hurried)
    return seconds


@pytest.fixture
def model(waits):
    """`model(server)`: an LLM of the server, closed at the end, when no task and no connection may be left."""
    connected = []

    def connect_to(server, **options):
        options = {"recorded": "off", "rates": RATES, **options}
        connected.append((server, connect("m", server.url, KEY, **options)))
        return connected[-1][1]

    background.run(_no_tasks_but(set()))  # the sandbox's workers, started once, are nobody's leak
    before = background.run(_tasks())
    yield connect_to
    for _, llm in connected:
        background.run(llm._pipeline.close())
    background.run(_no_tasks_but(before))
    for server, _ in connected:
        assert eventually(lambda server=server: server.connections == server.in_flight.now == 0)


async def _tasks():
    return asyncio.all_tasks() - {asyncio.current_task()}


async def _no_tasks_but(before):
    left = await _tasks() - before
    if left:
        await asyncio.wait(left, timeout=60)
    assert not [task for task in left if not task.done()]


def eventually(condition):
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.01)
    return False


def to_subagents(server, plan, about="bicycle"):
    """The plan for sub-agents that read of one thing; everything else is answered."""

    def only(key, attempt):
        body = server.bodies[key]
        return plan(key, attempt) if is_subagent(body) and about in str(body) else ""

    server.plan = only


def query(llm, store, **options):
    return PaperRLM(llm, **options).query(store, "What is my cat called?")


def dollars(usage):
    return usage.prompt_tokens * RATES[0] + usage.completion_tokens * RATES[1]


def assert_accounted(server, usage, budget):
    """Each answer is one call, as is a request that got none; and the tokens are those that the server stated.

    Where it stated none, a quarter of the bytes is counted: of a request that it never answered, because it may bill
    that all the same, with 250 tokens for the reply; and of an answer without usage.
    """
    expected = server.stated
    for attempt in server.attempts:
        body = server.bodies[attempt.key]
        asked = -(-len(json.dumps(body, separators=(",", ":"))) // 4)
        if attempt.fault == "never answers":
            expected += Usage(asked, 250)
        elif attempt.fault == "no usage":
            expected += Usage(asked, -(-len(play(body["messages"])) // 4))
    last = {attempt.key: attempt.fault for attempt in server.attempts}
    if set(last.values()) & set(UNREADABLE):  # charged at an estimate
        assert (usage.calls, usage.estimated) == (expected.calls, True)
        assert usage.prompt_tokens > expected.prompt_tokens
    else:
        assert usage == expected
    assert budget.spent == usage


@pytest.mark.parametrize("fault", FAILS)
def test_one_bad_session_costs_its_own_finding_and_no_more(diary, fault_server, model, fault):
    server, budget = fault_server(play), Budget()
    to_subagents(server, always(fault))
    answer = query(model(server, timeout=1.0 if fault == "never answers" else 30.0), diary, budget=budget)
    coverage = answer.coverage
    assert (answer.text, answer.error) == ("Mochi", "")
    assert (coverage.asked, coverage.found, coverage.not_found, coverage.failures) == (3, 1, 1, 1)
    assert [evidence.text for evidence in answer.evidence] == ["The cat is called Mochi."]
    ((reason, _),) = coverage.failed.items()
    assert re.search(FAILS[fault], reason)
    assert not re.search(rf"\n|<|{KEY}", reason)
    output = answer.trace.steps[0].output
    assert output == f"['The cat is called Mochi.', '{NOT_READ}', 'NOT_FOUND']\n".rstrip()
    told = server.bodies[server.attempts[-1].key]["messages"][-1]["content"]
    assert f"1 failed (1x {reason})" in told
    assert f'"{NOT_READ}"; not read: session 2.' in told
    assert_accounted(server, answer.usage, budget)
    assert answer.cost_usd == pytest.approx(dollars(answer.usage))
    retries = max(server.received.values()) - 1
    assert retries > 1 if fault in FLEETING else retries == int(fault in UNREADABLE)


@pytest.mark.parametrize("fault", FLEETING)
def test_what_a_retry_can_help_is_retried_and_every_call_counted_once(diary, fault_server, model, fault):
    server, budget = fault_server(play), Budget()
    to_subagents(server, first(fault), about="Mochi")
    answer = query(model(server, timeout=1.0 if fault == "never answers" else 30.0), diary, budget=budget)
    assert str(answer.coverage) == "asked 3 sub-agents: 1 found something, 2 found nothing"
    assert max(server.received.values()) == 2
    assert_accounted(server, answer.usage, budget)


@pytest.mark.parametrize("fault", UNREADABLE)
def test_an_answer_that_broke_on_its_way_is_paid_for_as_the_one_that_came_whole(diary, fault_server, model, fault):
    server, budget = fault_server(play), Budget()
    to_subagents(server, first(fault), about="Mochi")
    answer = query(model(server), diary, budget=budget)
    assert str(answer.coverage) == "asked 3 sub-agents: 1 found something, 2 found nothing"
    (call,) = [call for call in answer.trace.calls if call.copies]
    assert call.usage.calls == 2
    assert answer.usage.calls == budget.spent.calls == server.stated.calls == 6
    one = Usage(call.usage.prompt_tokens // 2, call.usage.completion_tokens // 2)
    assert answer.usage == budget.spent == server.stated + one  # which the server could not state


def test_the_time_that_the_server_names_is_waited(diary, fault_server, model, waits):
    server = fault_server(play, plan=lambda key, attempt: ("429 seconds", "429 ms", "429 date", "")[attempt - 1])
    model_of_one = model(server)
    background.run(model_of_one.complete([{"role": "user", "content": "hi"}]))
    assert waits[:2] == [7.0, 0.25]
    assert 25 < waits[2] <= 30


def test_an_answer_without_usage_is_a_finding_whose_cost_is_estimated(diary, fault_server, model):
    server, budget = fault_server(play), Budget()
    to_subagents(server, always("no usage"), about="Mochi")
    answer = query(model(server), diary, budget=budget)
    assert answer.coverage.found == 1
    assert answer.usage == budget.spent
    assert answer.usage.estimated
    assert answer.usage.total_tokens > server.stated.total_tokens
    assert answer.cost_usd == pytest.approx(budget.spent_usd)
    assert query(model(fault_server(play)), diary).usage.estimated is False


def test_a_finding_that_was_cut_off_is_one_and_says_so(diary, fault_server, model):
    server, budget = fault_server(play), Budget()
    to_subagents(server, always("cut off"), about="Mochi")
    answer = query(model(server), diary, budget=budget)
    assert (answer.coverage.found, answer.coverage.cut) == (1, 1)
    assert [evidence.text for evidence in answer.evidence] == [f"The cat is c {CUT_OFF}"]
    assert_accounted(server, answer.usage, budget)


@pytest.mark.parametrize("fault", sorted({*FAILS} - {"never answers"}))
def test_a_root_model_that_fails_in_mid_query_loses_nothing_that_was_paid_for(diary, fault_server, model, fault):
    server, budget = fault_server(play), Budget()
    server.plan = lambda key, attempt: fault if len(server.bodies[key]["messages"]) > 2 else ""
    with pytest.raises(QueryFailed, match=FAILS[fault]) as failed:
        query(model(server), diary, budget=budget)
    answer = failed.value.answer
    assert [evidence.text for evidence in answer.evidence] == ["The cat is called Mochi."]
    assert answer.coverage.share == 1.0
    assert_accounted(server, answer.usage, budget)
    assert failed.value.cost_usd == answer.cost_usd == pytest.approx(dollars(answer.usage))
    assert KEY not in str(failed.value)


def test_a_rerun_asks_again_for_what_failed_and_for_nothing_else(diary, fault_server, model, tmp_path):
    server = fault_server(play)
    to_subagents(server, always("refusal"))
    llm = model(server, recorded="auto", calls_path=tmp_path / "calls.sqlite")
    assert query(llm, diary).coverage.failures == 1
    asked = server.received.copy()
    server.plan = always("")
    answer = query(llm, diary)
    assert (answer.coverage.failures, answer.coverage.not_found) == (0, 2)
    again = [server.bodies[key] for key in server.received - asked]
    assert [is_subagent(body) and "bicycle" in str(body) for body in again] == [True, False]  # and the root's last word


def test_embeddings_are_retried_and_counted_once(fault_server, model):
    server, budget = fault_server(play, plan=first("dropped in mid-body")), Budget()
    embedded = background.run(model(server).embed(["one", "three"], budget))
    assert embedded.vectors == [[3.0], [5.0]]
    assert_accounted(server, embedded.usage, budget)


def test_a_query_that_is_given_up_leaves_no_task_no_request_and_no_connection(diary, fault_server, model):
    server = fault_server(play)
    to_subagents(server, always("never answers"), about="Turn")
    llm = model(server)

    async def give_up():
        work = asyncio.ensure_future(PaperRLM(llm).aquery(diary, "Who?"))
        await asyncio.to_thread(eventually, lambda: server.in_flight.now == 3)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(give_up())
    assert eventually(lambda: server.in_flight.now == 0)
    assert eventually(lambda: server.connections <= 1)  # the root's own, kept for the next call
    server.plan = always("")
    assert query(llm, diary).text == "Mochi"


def test_concurrency_is_reached_and_never_passed(store, fault_server, model):
    for number in range(30):
        store.start_session()
        store.add("user", f"Today I read page {number}.")
    server = fault_server(play, delay=lognormal(0.1, 0.5))  # long enough for eight to be out on a busy machine
    answer = query(model(server), store, concurrency=8)
    assert answer.coverage.not_found == 30
    assert server.in_flight.most == 8
    assert server.connections <= 8


@pytest.mark.slow
def test_with_a_tenth_of_the_calls_failing_every_call_is_accounted_for(diary, fault_server, model, times):
    server, budget = fault_server(play), Budget()
    for_good = some(0.05, sorted(set(FAULTS) - {"", "never answers", "stalls in mid-body"}), seed=1)
    at_times = some(0.05, FLEETING, seed=2, lasting=False)
    server.plan = lambda key, attempt: for_good(key, attempt) or at_times(key, attempt)
    engine = PaperRLM(model(server, timeout=5.0), budget=budget)

    at_once = asyncio.Semaphore(100)  # a busy machine answers no thousand in time

    async def ask(number):
        async with at_once:
            try:
                return await engine.aquery(diary, f"What is my cat called, for the {number}th time?")
            except QueryFailed as failed:
                return failed.answer

    async def ask_all():
        return await asyncio.wait_for(asyncio.gather(*map(ask, range(times(100, 1_000)))), 300)

    answers = background.run(ask_all())
    last = {attempt.key: attempt.fault for attempt in server.attempts}
    subagents = {key: fault for key, fault in last.items() if is_subagent(server.bodies[key])}
    roots = {key: fault for key, fault in last.items() if key not in subagents}
    failed = sum((Counter(answer.coverage.failed) for answer in answers), Counter())
    assert sum(attempt.fault != "" for attempt in server.attempts) > 0.1 * len(last)
    assert sum(answer.coverage.asked for answer in answers) == len(subagents)
    assert all(
        answer.coverage.asked == answer.coverage.found + answer.coverage.not_found + answer.coverage.failures
        for answer in answers
    )
    assert _by_kind(failed) == Counter(FAILS[fault] for fault in subagents.values() if fault in FAILS)
    ended = Counter(answer.error for answer in answers if answer.error)
    kinds = Counter(FAILS[fault] for fault in roots.values() if fault in FAILS)
    again = {kind for kind in kinds if kind.startswith("empty")}  # the root model is asked again
    assert _by_kind(ended) == Counter({kind: count for kind, count in kinds.items() if kind not in again})
    assert sum(answer.coverage.cut for answer in answers) == list(subagents.values()).count("cut off") > 0
    assert_accounted(server, sum((answer.usage for answer in answers), Usage()), budget)
    assert MARK not in str(
        [(answer.text, answer.evidence, [s.output for s in answer.trace.steps]) for answer in answers]
    )


def _by_kind(reasons):
    """Failures counted by the pattern of `FAILS` that their reason fits."""
    kinds = Counter()
    for reason, count in reasons.items():
        (kind,) = {pattern for pattern in FAILS.values() if re.search(pattern, reason)}
        kinds[kind] += count
    return kinds
