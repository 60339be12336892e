import asyncio
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from in_flight import InFlight
from paper import PaperRLM

from rlm_memory_core import Budget, MemoryRLM, connect
from rlm_memory_core.models import background

PARALLEL = "```repl\nfound = llm_query_parallel(sessions, session_dates, question)\nprint(found)\n```"


def finds_cat(prompt):
    return "The cat is called Mochi." if "Mochi" in prompt else "NOT_FOUND"


def test_subagents_have_a_model_of_their_own(diary, scripted):
    sub_model = scripted(lambda messages: "found", "small")
    PaperRLM(scripted([PARALLEL, "FINAL(x)"], "large"), sub_model).query(diary, "Who?")
    assert [request["model"] for request in scripted.requests] == ["large", "small", "small", "small", "large"]


def test_a_budget_is_shared_by_all_queries_of_an_engine(diary, root_and_subagents):
    engine = PaperRLM(root_and_subagents(["FINAL(one)", "FINAL(two)"]), budget=Budget(calls=1))
    assert engine.query(diary, "Who?").error == ""
    assert "spent" in engine.query(diary, "Who?").error


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused(diary, scripted, question):
    with pytest.raises(ValueError, match="empty"):
        PaperRLM(scripted([])).query(diary, question)


def test_a_name_in_the_place_of_a_model_or_a_store_is_refused_with_what_to_write(scripted):
    with pytest.raises(TypeError, match=r"llm is what connect\(\) returns; write connect\('m'\)"):
        MemoryRLM("m")
    with pytest.raises(TypeError, match="sub_model is what connect"):
        MemoryRLM(scripted([]), sub_model="m")
    with pytest.raises(TypeError, match=r"store is a MemoryStore, .* not 'history\.db'"):
        MemoryRLM(scripted([])).query("history.db", "Who?")


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"max_iterations": 0}])
def test_wrong_arguments_are_refused_at_once(scripted, wrong):
    with pytest.raises(ValueError, match="at least 1"):
        PaperRLM(scripted([]), **wrong)


def test_an_empty_store_can_be_asked(store, root_and_subagents):
    answer = PaperRLM(root_and_subagents([PARALLEL, "FINAL(nothing)"])).query(store, "Who?")
    assert (answer.text, answer.coverage.asked, answer.evidence) == ("nothing", 0, ())


def test_a_query_only_reads_the_store(diary, root_and_subagents):
    before = diary.to_string()
    PaperRLM(root_and_subagents([PARALLEL, "FINAL(x)"])).query(diary, "Who?")
    assert diary.to_string() == before


def test_query_works_where_a_loop_already_runs_and_aquery_from_any_loop(diary, scripted):
    engine = PaperRLM(scripted(lambda messages: "FINAL(a b)"))

    async def cell():
        return engine.query(diary, "Who?").text, (await engine.aquery(diary, "Who?")).text

    async def gathered():
        return [answer.text for answer in await asyncio.gather(*(engine.aquery(diary, "Who?") for _ in range(5)))]

    assert asyncio.run(cell()) == ("a b", "a b")
    assert asyncio.run(gathered()) == ["a b"] * 5
    assert background.run(gathered()) == ["a b"] * 5


def test_many_threads_ask_one_engine_at_once(diary, scripted):
    def answer(messages):
        question = messages[1]["content"].split("<question>\n")[1].split("\n")[0]
        return "```repl\nx = question\n```" if len(messages) == 2 else f"FINAL_VAR(x)\n{question}"

    engine = PaperRLM(scripted(answer))
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda number: engine.query(diary, f"Question {number}?").text, range(40)))
    assert answers == [f"Question {number}?" for number in range(40)]


def test_concurrency_bounds_the_subagents_of_all_queries(diary, root_and_subagents, scripted):
    in_flight = InFlight()

    async def subagent(prompt):
        with in_flight:
            await asyncio.sleep(0.01)
        return "found"

    engine = PaperRLM(root_and_subagents([PARALLEL] * 4 + ["FINAL(x)"] * 4, subagent), concurrency=2)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: engine.query(diary, "Who?"), range(4)))
    assert in_flight.most == 2


def test_cancelling_leaves_no_task_behind_and_the_engine_usable(diary, root_and_subagents):
    async def subagent(prompt):
        await asyncio.sleep(60)
        return "never"

    async def tasks():
        return asyncio.all_tasks()

    engine = PaperRLM(root_and_subagents([PARALLEL, "FINAL(again)"], subagent))
    before = len(background.run(tasks()))

    async def give_up():
        await asyncio.wait_for(engine.aquery(diary, "Who?"), 0.3)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    for _ in range(100):
        if len(background.run(tasks())) <= before:
            break
        time.sleep(0.02)
    assert len(background.run(tasks())) <= before
    assert engine.query(diary, "Who?").text == "again"


def test_a_query_that_is_given_up_has_paid_for_what_it_sent(diary, root_and_subagents, scripted):
    async def subagent(prompt):
        await asyncio.sleep(60)

    budget = Budget(calls=100)
    engine = PaperRLM(root_and_subagents([PARALLEL], subagent, rates=(1.0, 1.0)), budget=budget)

    async def give_up():
        asking = asyncio.create_task(engine.aquery(diary, "Who?"))
        while len(scripted.requests) < 4:
            await asyncio.sleep(0.001)
        asking.cancel()
        await asyncio.wait([asking])

    background.run(give_up())
    assert budget.spent.calls == 4
    assert budget.spent.completion_tokens > 3 * 250


@pytest.mark.parametrize(
    ("model", "options", "hedge"),
    [
        (connect(), {}, 0.0),
        (connect("m"), {}, 0.05),
        (connect("m"), {"hedge": 0.2}, 0.2),
        (connect("m"), {"hedge": 0.0}, 0.0),
        (connect("m", recorded="replay"), {}, 0.0),
        (connect("m"), {"sub_model": connect()}, 0.0),
        (connect(), {"sub_model": connect("m", recorded="refresh")}, 0.05),
    ],
)
def test_late_calls_are_sent_again_where_a_real_model_reads(model, options, hedge):
    assert PaperRLM(model, **options).hedge == hedge


@pytest.mark.parametrize("hedge", [-0.1, 1.5])
def test_a_share_of_extra_calls_that_is_none_is_told(hedge):
    with pytest.raises(ValueError, match="hedge"):
        PaperRLM(connect(), hedge=hedge)


def test_an_engine_can_be_sent_to_another_process_also_after_it_was_used(diary):
    engine = PaperRLM(connect("offline"), concurrency=1, max_iterations=5, budget=Budget(usd=1.0), parallel=True)
    assert "Mochi" in engine.query(diary, "What is my cat called?").text
    engine.budget._started = None  # what becomes of it is tested with the budget
    received = pickle.loads(pickle.dumps(engine))
    kept = {name: value for name, value in vars(received).items() if name not in ("slots", "llm", "sub_model")}
    assert kept == {name: vars(engine)[name] for name in kept}
    assert set(vars(received)) == set(vars(engine))
    assert received.llm is received.sub_model
    assert "Mochi" in received.query(diary, "What is my cat called?").text


def test_an_engine_that_is_sent_hedges_as_before():
    assert pickle.loads(pickle.dumps(PaperRLM(connect("m"), hedge=0.2))).hedge == 0.2


def test_a_system_prompt_is_for_the_root_model_alone(diary, root_and_subagents, scripted):
    llm = root_and_subagents([PARALLEL, "FINAL(Arr, Mochi)"], finds_cat)
    assert PaperRLM(llm).query(diary, "Who?", system="You speak like a pirate.").text == "Arr, Mochi"
    told = ["pirate" in str(request["messages"]) for request in scripted.requests]
    assert told == [True, False, False, False, True]
    assert scripted.conversation[0]["content"].endswith("<instructions>\nYou speak like a pirate.\n</instructions>")
