import asyncio
import json
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import pytest
from llama import CONTEXT, HELLO, running

from rlm_memory_core import MemoryChat, connect
from rlm_memory_core.models import background
from rlm_memory_core.models.llm import ModelError
from rlm_memory_core.models.streaming import Listener
from rlm_memory_core.models.types import Request

pytestmark = pytest.mark.slow

STORY = [{"role": "user", "content": "Write a long story about a cat, with many chapters."}]
LONGEST = 8  # tokens of an answer that is cut off
TOO_LONG = [{"role": "user", "content": "My cat is called Mochi. " * CONTEXT}]


def ask(llm, messages=HELLO, **options):
    return background.run(llm.complete(messages, **options))


def test_an_answer_comes_with_the_tokens_that_the_server_counted(llm):
    reply = ask(llm())
    assert reply.text.strip()
    assert reply.usage.calls == 1
    assert reply.usage.prompt_tokens > 10
    assert 0 < reply.usage.completion_tokens < 100
    assert not reply.cut
    assert reply.seconds > 0


@dataclass
class Changed:
    """Sends requests with other fields; it stands below all other steps, so that nothing else changes."""

    backend: object
    fields: dict

    async def send(self, request):
        return await self.backend.send(self.changed(request))

    def stream(self, request):
        return self.backend.stream(self.changed(request))

    def changed(self, request):
        return Request(request.path, {**request.body, **self.fields})


LIMITED = partial(Changed, fields={"max_tokens": LONGEST})
ENDLESS = partial(Changed, fields={"max_tokens": 3_000, "stop": ["no such text"], "ignore_eos": True})


def test_an_answer_that_reaches_the_token_limit_is_cut_off(llm):
    reply = ask(llm(wrap=LIMITED), STORY)
    assert reply.cut
    assert reply.usage.completion_tokens == LONGEST


def test_a_stream_brings_pieces_and_their_tokens(llm):
    pieces = []
    reply = ask(llm(wrap=LIMITED), STORY, listener=Listener(pieces.append))
    assert len(pieces) > 5
    assert "".join(pieces) == reply.text
    assert reply.cut
    assert reply.usage.completion_tokens == LONGEST
    assert reply.usage.prompt_tokens > 10


@pytest.mark.parametrize("listener", [None, Listener(lambda piece: None)], ids=["whole", "stream"])
def test_a_prompt_that_exceeds_the_context_is_refused_once_and_the_error_says_so(llm, listener):
    with pytest.raises(ModelError, match="exceeds the available context size") as failed:
        ask(llm(), TOO_LONG, listener=listener)
    assert failed.value.usage.calls == 1
    assert ask(llm()).text


def test_more_calls_than_slots_are_all_answered(llm):
    model = llm()

    async def ten():
        prompts = [[{"role": "user", "content": f"Say the number {number}."}] for number in range(10)]
        return await background.gather(model.complete(prompt) for prompt in prompts)

    replies = background.run(ten())
    assert all(reply.text.strip() for reply in replies)
    assert len({reply.text for reply in replies}) > 1


def test_a_client_that_goes_away_frees_its_slot_and_the_next_is_answered(llm, real_server):
    with MemoryChat(llm(wrap=ENDLESS)) as chat:
        stream = chat.stream(STORY[0]["content"])
        assert next(stream)
        stream.close()
        assert [turn.role for turn in chat.store.turns] == ["user"]
    wait_until_idle(real_server)
    assert ask(llm()).text


def test_a_reader_that_is_cancelled_leaves_the_server_answering(llm, real_server):
    model, heard = llm(wrap=ENDLESS), asyncio.Event()

    async def give_up():
        task = asyncio.create_task(model.complete(STORY, None, Listener(lambda piece: heard.set())))
        await heard.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled()

    assert background.run(give_up())
    wait_until_idle(real_server)
    assert ask(llm()).text


def wait_until_idle(server):
    """Wait until no slot of the server works for anybody."""
    for _ in range(100):
        with closing(urllib.request.urlopen(server.url.removesuffix("/v1") + "/slots", timeout=30)) as page:
            if not any(slot["is_processing"] for slot in json.load(page)):
                return
        time.sleep(0.1)
    pytest.fail("the server still works for a client that went away")


def test_recorded_answers_are_replayed_when_the_server_has_ended(llm, tmp_path):
    place = {"calls_path": tmp_path / "calls.sqlite"}
    with running() as server:
        first = ask(connect("small", server.url, recorded="auto", **place))
        server.process.stdin.close()  # what remains of it when the tests are killed
        assert server.process.wait(timeout=60) == 0
    again = ask(connect("small", server.url, recorded="replay", **place))
    assert (again.text, again.usage.total_tokens) == (first.text, first.usage.total_tokens)
    assert (first.recorded, again.recorded) == (False, True)


def test_half_an_answer_is_not_recorded(llm):
    model = llm(recorded="auto", wrap=LIMITED)
    assert ask(model, STORY).cut
    with pytest.raises(ModelError):
        ask(llm(recorded="replay"), STORY)


def test_a_server_without_embeddings_says_so(llm):
    with pytest.raises(ModelError, match="does not support embeddings"):
        background.run(llm().embed(["My cat is called Mochi."]))
