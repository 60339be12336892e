import json
import re

import pytest
from paper import PaperRLM

from rlm_memory_core import Trace, Usage, connect

STEP = {
    "kind", "step", "reply", "code", "output", "usage", "cost_usd", "seconds", "recorded", "started",
}  # fmt: skip
CALL = {
    "kind", "step", "session", "reply", "usage", "cost_usd", "started", "seconds", "recorded", "error", "cut", "batch",
    "number", "date",
}  # fmt: skip


def test_there_is_one_line_a_step_and_one_a_call_each_under_documented_keys(call, trace):
    lines = [json.loads(line) for line in trace(call(), call(number=2)).to_jsonl().splitlines()]
    assert [(line["kind"], line["step"]) for line in lines] == [("step", 1), ("call", 1), ("call", 1), ("step", 2)]
    assert lines[0].keys() >= STEP
    assert lines[1].keys() >= CALL
    assert lines[1]["usage"] == {"prompt_tokens": 100, "completion_tokens": 10, "calls": 1, "estimated": False}


def test_a_trace_comes_back_as_it_was(call, trace, hostile, tmp_path):
    path = tmp_path / "trace.jsonl"
    for made in (
        Trace(),
        trace(),
        trace(call(cost_usd=None), call(reply="", error="no answer", number=None, date=None)),
        trace(call(reply=hostile, session="line\u2028break\x85\n" * 3), reply="\n\n", output="\x1c\r\n"),
    ):
        text = made.to_jsonl(path)
        assert Trace.from_jsonl(text) == made
        assert Trace.from_jsonl(path.read_text(encoding="utf-8")) == made


def test_the_trace_of_a_query_comes_back_as_it_was(diary):
    made = PaperRLM(connect("offline", recorded="off")).query(diary, "What is my cat called?").trace
    assert Trace.from_jsonl(made.to_jsonl()) == made


def test_a_lone_surrogate_does_not_hinder_writing(call, trace, tmp_path):
    trace(call(reply="\ud800")).to_jsonl(tmp_path / "trace.jsonl")
    assert Trace.from_jsonl((tmp_path / "trace.jsonl").read_text(encoding="utf-8")).calls[0].reply == "\ufffd"


def test_a_newer_versions_keys_are_passed_over_and_an_older_ones_lack_filled_in(call, trace):
    lines = [json.loads(line) for line in trace(call()).to_jsonl().splitlines()]
    lines[0]["mood"] = "good"
    for name in ("number", "date", "batch"):
        del lines[1][name]
    read = Trace.from_jsonl("\n".join(map(json.dumps, lines)))
    assert (read.calls[0].number, read.usage) == (None, Usage(210, 21, 3))


def changed(text, line, **changes):
    lines = [json.loads(each) for each in text.splitlines()]
    lines[line] |= changes
    return "\n".join(map(json.dumps, lines))


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda text: text[:-5], "line 3 of the trace: "),
        (lambda text: "7\n" + text, 'line 1 of the trace: neither a step nor a call; an object with "kind"'),
        (lambda text: changed(text, 1, kind="walk"), "line 2 of the trace: neither a step nor a call"),
        (lambda text: changed(text, 1, step=2), "line 2 of the trace: found step 2 instead of step 1"),
        (lambda text: text.split("\n", 1)[1], "line 1 of the trace: found step 1 instead of step 0"),
        (lambda text: changed(text, 1, usage=3), "line 2 of the trace: usage of a call is 3"),
        (lambda text: changed(text, 1, usage={"tokens": 3}), "usage of a call is {'tokens': 3}"),
        (lambda text: changed(text, 1, seconds="soon"), "seconds of a call is 'soon'"),
        (lambda text: text.replace('"reply"', '"said"', 1), "line 1 of the trace: reply missing in a step"),
        (lambda text: changed(text, 0, step="one"), "a whole number as step missing in a step"),
    ],
)
def test_a_broken_line_is_named_with_the_reason(call, trace, break_it, says):
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        Trace.from_jsonl(break_it(trace(call()).to_jsonl()))
    assert "\n" not in str(error.value)
