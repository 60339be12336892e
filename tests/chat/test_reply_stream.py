import asyncio

import pytest

from rlm_memory_core import Answer
from rlm_memory_core.chat.reply_stream import ReplyStream
from rlm_memory_core.models import background


def work(*pieces, error=None):
    async def reply(tell):
        for piece in pieces:
            tell(piece)
        if error:
            raise error
        return Answer("".join(pieces))

    return reply


@pytest.fixture
def kept():
    """The answers that were kept, and the function that keeps them."""
    answers = []

    def keep(answer):
        answers.append(answer.text)

    keep.answers = answers
    return keep


async def read(stream):
    return [piece async for piece in stream]


def test_pieces_then_the_answer_which_is_kept_once(kept):
    stream = ReplyStream(work("a", "b"), kept)
    with pytest.raises(RuntimeError, match="no answer"):
        stream.answer  # noqa: B018
    assert list(stream) == ["a", "b"]
    assert list(stream) == []
    assert (stream.answer.text, kept.answers) == ("ab", ["ab"])
    stream.close()
    assert stream.answer.text == "ab"


def test_the_same_on_another_loop_and_on_the_background_loop(kept):
    assert asyncio.run(read(ReplyStream(work("a", "b"), kept))) == ["a", "b"]
    assert background.run(read(ReplyStream(work("c"), kept))) == ["c"]
    assert kept.answers == ["ab", "c"]


def test_an_error_comes_after_the_pieces_once_and_no_answer_is_kept(kept):
    stream, pieces = ReplyStream(work("a", error=KeyError("lost")), kept), []
    with pytest.raises(KeyError, match="lost"):
        pieces.extend(stream)
    assert (pieces, list(stream), kept.answers) == (["a"], [], [])


def test_an_answer_that_cannot_be_kept_is_no_answer():
    def keep(answer):
        raise OSError("disk full")

    stream = ReplyStream(work("a"), keep)
    with pytest.raises(OSError, match="disk full"):
        list(stream)
    with pytest.raises(RuntimeError, match="no answer"):
        stream.answer  # noqa: B018


def test_work_begins_with_the_first_piece_and_ends_with_close(kept):
    states = []

    async def reply(tell):
        states.append("begun")
        try:
            tell("a")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            states.append("ended")

    stream = ReplyStream(reply, kept)
    assert states == []
    with stream:
        assert next(stream) == "a"
        assert states == ["begun"]
    assert states == ["begun", "ended"]
    assert (list(stream), kept.answers) == ([], [])


def test_a_stream_that_is_closed_unread_begins_nothing(kept):
    stream = ReplyStream(work("a"), kept)
    stream.close()
    assert (list(stream), kept.answers) == ([], [])


def test_a_failure_that_nobody_reads_is_not_an_error_of_the_loop(kept, caplog):
    stream = ReplyStream(work("a", error=KeyError("lost")), kept)
    assert next(stream) == "a"
    del stream
    background.run(asyncio.sleep(0.01))
    assert caplog.records == []


def test_a_reader_that_is_cancelled_stops_the_work(kept):
    ended = []

    async def reply(tell):
        tell("a")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def scenario():
        stream = ReplyStream(reply, kept)
        assert await anext(stream) == "a"
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        await stream.aclose()
        return waiting.cancelled(), await read(stream)

    assert asyncio.run(scenario()) == (True, [])
    assert ended == [True]


def test_closing_a_stream_stops_the_work_while_a_reader_waits_for_the_next_piece(kept):
    async def reply(tell):
        tell("a")
        await asyncio.Event().wait()

    async def scenario():
        stream = ReplyStream(reply, kept)
        assert await anext(stream) == "a"
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.01)
        await stream.aclose()
        await asyncio.wait([waiting])
        return waiting.cancelled(), await read(stream)

    assert asyncio.run(scenario()) == (True, [])


def test_a_synchronous_stream_is_not_for_the_background_loop(kept):
    async def ask():
        return next(ReplyStream(work("a"), kept))

    with pytest.raises(RuntimeError, match="async twin"):
        background.run(ask())
