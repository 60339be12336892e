import pickle

import pytest
from paper import PaperRLM

from rlm_memory_core import Answer, Call, MemoryStore, QueryFailed, Reading, Step, Trace, Usage, connect
from rlm_memory_core.query.answer import total_cost
from rlm_memory_core.views.answer import answer_text


def call(reply="found", cost=0.5, error=""):
    return Call("session", reply, Usage(10, 2, 1), cost, 0.0, 1.0, False, error)


def step(*calls, cost=0.25, code=("print(1)",)):
    return Step("Let me look.", code, "1", calls, Usage(100, 20, 1), cost, 2.0)


def test_a_trace_adds_up_root_and_subagents():
    trace = Trace((step(call(), call()), step()))
    assert trace.usage == Usage(220, 44, 4)
    assert trace.cost_usd == 1.5
    assert len(trace.calls) == 2


@pytest.mark.parametrize("trace", [Trace((step(call(cost=None)),)), Trace((step(cost=None), step()))])
def test_one_unknown_price_makes_the_total_unknown(trace):
    assert trace.cost_usd is None


def test_an_empty_trace_costs_nothing():
    assert (Trace().usage, Trace().cost_usd, total_cost([])) == (Usage(), 0.0, 0.0)


def test_a_trace_reads_as_what_was_written_run_and_asked():
    text = str(Trace((step(call(), call("", error="no answer")), step(code=()))))
    assert (
        "--- step 1: 120 tokens, $0.25 [2.0 s] ---\nLet me look.\n>>> 1\nasked 2 sub-agents: 1 found something" in text
    )
    assert "1x no answer" in text
    assert text.count(">>>") == 1


def timed(seconds, recorded=True, batch=1):
    return Call("session", "found", Usage(), 0.0, 0.0, seconds, recorded, batch=batch)


@pytest.mark.parametrize(
    ("calls", "recorded", "longer"),
    [
        ([], True, 4.0),  # the root model's reply alone
        ([], False, 0.0),
        ([timed(1.0), timed(3.0), timed(2.0)], True, 4.0 + 3.0),  # at once: the slowest counts
        ([timed(1.0, batch=1), timed(3.0, batch=2), timed(2.0, batch=3)], True, 4.0 + 6.0),  # one after another
        ([timed(1.0), timed(3.0, recorded=False)], False, 0.0),  # the live one took longer than the replayed one
        ([timed(5.0), timed(3.0, recorded=False)], False, 2.0),
        ([timed(1.0, recorded=False, batch=1), timed(3.0, batch=2)], False, 3.0),
        ([timed(1.0, batch=2), timed(2.0, batch=1), timed(3.0, batch=2)], False, 2.0 + 3.0),  # as they ended
    ],
)
def test_a_trace_tells_what_replaying_saved(calls, recorded, longer):
    step = Step("", (), "", tuple(calls), Usage(), 0.0, 4.0, recorded)
    assert Trace((step,)).replayed_seconds == longer
    assert Trace((step, step)).replayed_seconds == 2 * longer


def test_an_answer_prints_as_its_text():
    assert str(Answer("Mochi")) == "Mochi"
    assert Answer("Mochi").coverage.asked == 0


def test_a_failed_query_keeps_its_answer_on_the_way_from_another_process():
    failed = QueryFailed(Answer("", usage=Usage(3, 2, 1), cost_usd=None, error="the server is away"))
    copy = pickle.loads(pickle.dumps(failed))
    assert (copy.answer, copy.usage, copy.cost_usd) == (failed.answer, Usage(3, 2, 1), None)
    assert str(copy) == "the server is away"


@pytest.mark.parametrize("first", [10, None])
def test_an_answer_says_how_many_of_the_sessions_were_read(first):
    with MemoryStore() as store:
        for day in range(25):
            store.start_session()
            store.add("user", f"On day {day} my cat Mochi slept.")
        store.start_session()  # nothing was said in it
        engine = PaperRLM(connect("offline", recorded="off"), reading=Reading("paper", first))
        answer = engine.query(store, "What is my cat called?")
    read = first or 25
    told = "10 of 25 sessions read" if first else ""
    assert (len(answer.sessions_read), answer.sessions, answer.read) == (read, 25, told)
    assert pickle.loads(pickle.dumps(answer)).sessions == 25
    for shown in (repr(answer), answer._repr_html_(), answer_text(answer)):
        assert ("sessions read" in shown) == bool(told)
        assert told in shown


def test_a_lone_surrogate_does_not_hinder_writing_a_page(tmp_path):
    Trace((step(call(reply="\ud800")),)).to_html(tmp_path / "trace.html")
    assert "\ufffd" in (tmp_path / "trace.html").read_text(encoding="utf-8")


def test_the_repr_of_an_answer_is_one_line():
    assert repr(Answer("Mochi")) == "<Answer 'Mochi'>"
    assert repr(Answer("x" * 500, error="no budget")) == f"<Answer {'x' * 200!r}; no budget>"


def test_what_replaying_saved_is_told_from_a_millisecond_on():
    for seconds, told in ((0.0004, False), (0.001, True)):
        trace = Trace((Step("", (), "", (), Usage(), 0.0, seconds, True),))
        assert ("more if nothing were replayed" in answer_text(Answer("Mochi", trace=trace))) == told


def test_an_answer_says_how_many_pieces_of_a_long_session_were_read(store, root_and_subagents):
    store.extend([("user", f"Part {number}. " + "word " * 7_990) for number in range(6)])
    code = "```repl\nllm_query_parallel(sessions[:2], session_dates[:2], question)\n```"
    answer = PaperRLM(root_and_subagents([code, "FINAL(x)"])).query(store, "Who?")
    assert (answer.sessions_read, answer.sessions) == ((1,), 1)
    assert answer.read == "1 of 1 sessions read (2 of 6 pieces)"
    everything = "```repl\nllm_query_parallel(sessions, session_dates, question)\n```"
    assert PaperRLM(root_and_subagents([everything, "FINAL(x)"])).query(store, "Who?").read == ""
