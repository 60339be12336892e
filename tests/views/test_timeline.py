import pytest
from paper import PaperRLM

from rlm_memory_core import Trace
from rlm_memory_core.views.timeline import timeline


def test_what_ran_is_placed_where_it_ran(call, trace):
    axis = timeline(trace(call(started=1.2, number=2), call(started=1.0)))
    assert [(span.step, span.start) for span in axis.spans] == [(1, 0.0), (1, 1.0), (1, 1.2), (2, 3.1)]
    assert axis.seconds == pytest.approx(3.6)
    assert not axis.replayed


def test_a_replay_is_laid_out_as_it_was_recorded(call, trace):
    """What the clock said of the replay is of no use: everything started within a few milliseconds."""
    calls = [call(started=0.01 * batch, seconds=seconds, recorded=True, batch=batch) for batch, seconds in
             ((2, 3.0), (1, 2.0), (1, 1.0))]  # fmt: skip
    axis = timeline(trace(*calls))
    assert axis.replayed
    assert [(span.start, span.end) for span in axis.spans[1:-1]] == [(0.9, 2.9), (0.9, 1.9), (2.9, 5.9)]
    assert axis.spans[-1].start == pytest.approx(5.9)
    assert axis.seconds == pytest.approx(6.4)


def test_the_length_of_a_replay_is_what_replaying_saved(call):
    from rlm_memory_core import Step, Usage

    calls = tuple(call(recorded=True, seconds=seconds, batch=int(seconds)) for seconds in (1.0, 1.5, 2.5))
    recorded = Trace((Step("", (), "", calls, Usage(), 0.0, 4.0, True),))
    assert timeline(recorded).seconds == pytest.approx(recorded.replayed_seconds)


def test_an_empty_trace_has_an_empty_axis():
    assert (timeline(Trace()).spans, timeline(Trace()).seconds) == ((), 0.0)


def test_calls_of_a_live_query_lie_between_their_steps(diary, root_and_subagents):

    root = ["```repl\nr = llm_query_parallel(sessions, session_dates, question)\nprint(r)\n```", "FINAL(Mochi)"]
    axis = timeline(PaperRLM(root_and_subagents(root)).query(diary, "What is my cat called?").trace)
    first, *calls, second = [span for span in axis.spans if not span.code]
    assert len(calls) == 3
    assert 0 <= first.start < first.end <= min(span.start for span in calls)
    assert max(span.end for span in calls) <= second.start
    assert sorted((span.of.number, span.of.date) for span in calls) == [
        (1, "2023/05/20 (Sat) 02:21"),
        (2, "2023/06/01 (Thu) 10:00"),
        (3, "2023/07/04 (Tue) 18:30"),
    ]


def test_code_that_took_its_time_is_a_span_of_its_own(call):
    from rlm_memory_core import Step, Usage

    def step(started, *calls):
        return Step("", ("print(1)",), "", calls, Usage(), 0.0, 1.0, False, started)

    spans = timeline(Trace((step(0.0, call(started=1.1, seconds=1.0)), step(6.1), step(9.1)))).spans
    code = [(span.step, pytest.approx(span.start), pytest.approx(span.seconds)) for span in spans if span.code]
    assert code == [(1, 2.1, 4.0), (2, 7.1, 2.0)]
    assert [span.start for span in spans if span.step == 1] == [0.0, 1.1, pytest.approx(2.1)]
