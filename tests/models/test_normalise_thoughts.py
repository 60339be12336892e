import json
import random
import time

import httpx2
import pytest
from asking import ask
from fault_server import events

from rlm_memory_core import MemoryChat, MemoryRLM, Reading
from rlm_memory_core.experiments.score import judge
from rlm_memory_core.models import background
from rlm_memory_core.models.streaming import Listener
from rlm_memory_core.models.thoughts import ThoughtSplitter, split_thoughts
from rlm_memory_core.models.types import EmptyReply

LEADING = [
    ("<think>Hm.</think>Mochi", "Mochi", "Hm."),
    ("\n <thinking>\nA cat?\n\nYes.\n</thinking>\n\n  Mochi", "Mochi", "A cat?\n\nYes."),
    ("[THINK]Hm.[/THINK]Mochi", "Mochi", "Hm."),
    ("<thought>Hm.</thought> Mochi", "Mochi", "Hm."),
    ("<thoughts>Hm.</thoughts>\nMochi", "Mochi", "Hm."),
    ("<reasoning>Hm.</reasoning>Mochi", "Mochi", "Hm."),
    ("<seed:think>Hm.</seed:think>Mochi", "Mochi", "Hm."),
    ("<THINK>Hm.</Think>Mochi", "Mochi", "Hm."),
    ("<think>One.</think>\n<think>Two.</think>Mochi", "Mochi", "One.\n\nTwo."),
    ("<think></think>\n\nMochi", "Mochi", ""),
    ("</think>\n\nMochi", "Mochi", ""),
    ("<think>\n```repl\nprint(1)\n```\nFINAL(no)\n</think>\nFINAL(yes)", "FINAL(yes)", None),
    ("<think>It says <reasoning> somewhere.</think>Mochi", "Mochi", "It says <reasoning> somewhere."),
    ("<think>Hm. He was cut", "", "Hm. He was cut"),
    ("\ufeff<think>Hm.</think>Mochi", "\ufeffMochi", "Hm."),
    ("<|channel|>analysis<|message|>A<|end|><|channel|>final <|constrain|>json<|message|>{}", "{}", None),
    ("<|channel|>analysis\n<|message|>Hm.<|end|><|channel|>final<|message|>Mochi", "Mochi", None),
    (
        "<|channel|>commentary to=functions.search-all_of_history <|constrain|>json<|message|>{}<|end|>"
        "<|channel|>final<|message|>Mochi",
        "Mochi",
        None,
    ),
    ("<|channel|>commentary to=x<|message|>Hm.<|end|><|channel|>final<|message|>Mochi", "Mochi", None),
    ("Sure.\n<think>Which?</think>\nMochi", "Sure.\n\nMochi", "Which?"),
]
ORDINARY = [
    "Mochi", "", "  My cat [a tabby] is < 5 years & called Mochi.  ", "The tags <think> and </think> mark a thought.",
    "Close it with `</think>`.", 'He said "</think>" twice.', "Like this:\n```\n<think>Hm.</think>\n```\nYou see?",
    "~~~xml\n<reasoning>\n</reasoning>\n~~~", "It starts with\n<think>\nand never ends.", "a <", "<thi",
]  # fmt: skip


@pytest.mark.parametrize(("text", "said", "thoughts"), LEADING)
def test_thoughts_are_split_off(text, said, thoughts):
    found = split_thoughts(text)
    assert found[0] == said
    assert thoughts is None or found[1] == thoughts


@pytest.mark.parametrize(
    "text", ["Hm.\n</think>\n\nMochi", "Hm.</think>Mochi", "<think>a<think>b</think>c</think>Mochi"]
)
def test_all_before_a_closing_tag_without_an_opening_one_is_a_thought(text):
    assert split_thoughts(text)[0] == "Mochi"


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_text_stays_as_it_is(text):
    assert split_thoughts(text) == (text, "")


@pytest.mark.parametrize("text", [*(case[0] for case in LEADING), *ORDINARY])
def test_pieces_of_any_size_say_the_same(text):
    draw = random.Random(text)
    for most in (1, 2, 3, 5, 8):
        splitter, said, at = ThoughtSplitter(), "", 0
        while at < len(text):
            size = draw.randint(1, most)
            said += splitter.feed(text[at : at + size])
            at += size
        assert said + splitter.feed("", is_last=True) == split_thoughts(text)[0]


HOSTILE = [
    "\n", "<think>", "</think>", "x\n<think>", "<", "[/", "`", "```\n", "~~~", " ", "<think>a</think>", "<think>\n",
    "a<reasoning>\n</thought>",
]  # fmt: skip


def seconds(text):
    started = time.process_time()
    split_thoughts(text)
    return time.process_time() - started


@pytest.mark.parametrize("unit", HOSTILE)
def test_the_time_grows_no_faster_than_the_text(unit):
    text = unit * (50_000 // len(unit))
    once = min(seconds(text) for _ in range(3))
    assert min(seconds(text * 8) for _ in range(2)) < 40 * once + 0.5


@pytest.mark.parametrize("streams", [False, True])
def test_a_chat_neither_shows_nor_stores_thoughts(scripted, as_completion, streams):
    whole = as_completion("<think>He greets.</think>\n\nHello!")
    body = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=events(whole, size=3))
    chat = MemoryChat(scripted([body if streams else httpx2.Response(200, json=whole)]))
    if streams:
        stream = chat.stream("Hi")
        assert "".join(stream) == "Hello!"
        answer = stream.answer
    else:
        answer = chat.send("Hi")
    assert answer.text == chat.store.turns[-1].content == "Hello!"
    assert answer.trace.steps[0].thoughts == "He greets."


def test_thoughts_that_the_server_puts_apart_are_kept_apart(scripted, as_completion):
    def said(**message):
        return httpx2.Response(200, json=as_completion("", choices=[{"message": message, "finish_reason": "stop"}]))

    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Mochi"}]
    llm = scripted([
        said(content="Mochi", reasoning_content="Hm."),
        said(content="Mochi", reasoning="Hm."),
        said(content=parts),
        said(content="", reasoning_content="It is Mochi."),
    ])  # fmt: skip
    for _ in range(3):
        reply = ask(llm)
        assert (reply.text, reply.thoughts) == ("Mochi", "Hm.")
    with pytest.raises(EmptyReply, match="empty"):
        ask(llm)


def test_thoughts_of_a_stream_come_apart_or_between_tags(scripted):
    deltas = [{"reasoning_content": "H"}, {"reasoning_content": "m."}, {"content": "Mo"}, {"content": "chi"}]
    chunks = [{"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    heard = []
    llm = scripted([httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=body)])
    reply = background.run(llm.complete([{"role": "user", "content": "?"}], None, Listener(heard.append)))
    assert (reply.text, reply.thoughts, heard) == ("Mochi", "Hm.", ["Mo", "chi"])


def test_a_root_model_and_its_subagents_may_think_aloud(diary, root_and_subagents):
    code = "<think>FINAL(too early)\n```repl\nprint(0)\n```</think>\n```repl\nprint(llm_query_parallel(sessions))\n```"
    llm = root_and_subagents(
        [code, "Hm. FINAL(no)\n</think>\nFINAL(yes)"], lambda prompt: "<think>No.</think>NOT_FOUND"
    )
    answer = MemoryRLM(llm, reading=Reading("paper")).query(diary, "Who?")
    assert (answer.text, answer.evidence, answer.coverage.not_found) == ("yes", (), 3)
    assert answer.trace.calls[0].thoughts == "No."
    assert "print(0)" not in str(answer.trace.steps[0].code)
    assert "too early" not in answer.trace.steps[0].reply


def test_a_judge_may_think_aloud(scripted):
    reply = ask(scripted(["<think>No? It says so.</think>\nYes"]))
    assert judge.verdict(reply.text) is True


def test_a_special_token_in_a_thought_is_part_of_it():
    assert split_thoughts("He sent <|im_start|>.</think>Mochi") == ("Mochi", "He sent <|im_start|>.")
