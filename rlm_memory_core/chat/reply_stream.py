"""Streams of a chat: the pieces of a reply, readable from any thread or event loop, and the Answer at the end.

The work runs as one task on the background loop. It starts when the first piece is read. It stops when the loop over
the pieces ends or fails, or the stream is closed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

from ..models import background
from ..query.answer import Answer

Telling = Callable[[Callable[[str], None]], Coroutine[Any, Any, Answer]]
"""Starts work that passes each piece to the given function and returns the Answer."""
Finish = Callable[[Answer], None]
"""Called once with the answer, if the stream was read to its end."""


class _Reply:
    """The task and its pieces. All methods except `let_go` run on the background loop."""

    def __init__(self, work: Telling, finish: Finish) -> None:
        self.answer: Answer | None = None
        self.state = "not begun"  # then "under way", finally "read to its end" or "ended without an answer"
        self._work = work
        self._finish = finish
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()  # None after the last piece
        self._task: asyncio.Task[Answer] | None = None

    async def next(self) -> str | None:
        """Return the next piece, or None after the last, when `answer` is set.

        Raises:
            Exception: The error that ended the work. It is raised once.
        """
        if self.state == "not begun":
            self.state, self._task = "under way", asyncio.create_task(self._work(self._pieces.put_nowait))
            self._task.add_done_callback(self._ended)
        if self._task is None or self.state != "under way":
            return None
        try:
            piece = await self._pieces.get()
            if piece is None:
                answer = self._task.result()
                self._finish(answer)
                self.answer, self.state = answer, "read to its end"
        except BaseException:
            await self.close()
            raise
        return piece

    async def close(self) -> None:
        """Stop the work and wait until it has ended."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        self.state = "ended without an answer" if self.answer is None else self.state

    def let_go(self) -> None:
        """Ask the work to stop, from any thread, because nobody can read the reply any more."""
        if self._task is not None and self.state == "under way":
            self.state = "ended without an answer"
            background.loop().call_soon_threadsafe(self._task.cancel)

    def _ended(self, task: asyncio.Task[Answer]) -> None:
        if not task.cancelled():
            task.exception()  # mark it as retrieved; `next` raises it if anybody still reads
        self._pieces.put_nowait(None)


class _Stream:
    """Base class of both kinds of stream."""

    def __init__(self, work: Telling, finish: Finish) -> None:
        self.reply = _Reply(work, finish)

    @property
    def answer(self) -> Answer:
        """The complete answer, once the stream has been read to its end.

        Raises:
            RuntimeError: The stream was not read to its end, or it failed.
        """
        if self.reply.answer is None:
            raise RuntimeError("there is no answer before the stream has been read to its end")
        return self.reply.answer

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.reply.state}>"

    def __del__(self) -> None:
        if reply := vars(self).get("reply"):
            reply.let_go()


class ReplyStream(_Stream, Iterator[str], AbstractContextManager["ReplyStream"]):
    """The pieces of a reply, for use in a `for` loop. `MemoryChat.stream` returns it.

    >>> from rlm_memory_core import MemoryChat
    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "My cat is called Mochi.")
    >>> with chat.stream("What is my cat called?") as reply:
    ...     print("".join(reply))
    My cat is called Mochi.
    >>> reply.answer.usage.calls
    1
    """

    def __next__(self) -> str:
        piece = background.run(self.reply.next())
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Stop the reply. Do nothing if it has ended."""
        background.run(self.reply.close())

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncReplyStream(_Stream, AsyncIterator[str], AbstractAsyncContextManager["AsyncReplyStream"]):
    """The pieces of a reply, for use in an `async for` loop on any event loop. `MemoryChat.astream` returns it.

    >>> from rlm_memory_core import MemoryChat
    >>> async def talk():
    ...     async with MemoryChat(model="offline").astream("Who am I?") as reply:
    ...         return [piece async for piece in reply]
    >>> asyncio.run(talk())
    ["I don't know"]
    """

    async def __anext__(self) -> str:
        piece = await background.arun(self.reply.next())
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Stop the reply. Do nothing if it has ended."""
        await background.arun(self.reply.close())

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
