import json

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


def test_every_text_is_one_line_of_json_in_the_file_too(call, trace, hostile, tmp_path):
    path = tmp_path / "trace.jsonl"
    made = trace(call(reply=hostile, session="line\u2028break\x85\n" * 3), reply="\n\n", output="\x1c\r\n")
    text = made.to_jsonl(path)
    assert path.read_text(encoding="utf-8") == text
    lines = [json.loads(line) for line in text.removesuffix("\n").split("\n")]
    assert [(line["reply"], line["started"]) for line in lines] == [
        (part.reply, part.started) for step in made.steps for part in (step, *step.calls)
    ]
    assert lines[1]["session"] == made.calls[0].session
    assert Trace().to_jsonl() == ""


def test_the_trace_of_a_query_is_written_whole(diary):
    made = PaperRLM(connect("offline", recorded="off")).query(diary, "What is my cat called?").trace
    lines = [json.loads(line) for line in made.to_jsonl().splitlines()]
    assert sum((Usage(**line["usage"]) for line in lines), Usage()) == made.usage
    assert [line["reply"] for line in lines if line["kind"] == "call"] == [call.reply for call in made.calls]


def test_a_lone_surrogate_does_not_hinder_writing(call, trace, tmp_path):
    trace(call(reply="\ud800")).to_jsonl(tmp_path / "trace.jsonl")
    lines = (tmp_path / "trace.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[1])["reply"] == "\ufffd"
