"""Streams of a chat: the pieces of a reply, readable from any thread or event loop, and the Answer at the end.

The work runs as one task on the background loop. It starts when the first piece is read. It stops when the loop over
the pieces ends or fails, or the stream is closed.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

from ..models import background
from ..query.answer import Answer

Telling = Callable[[Callable[[str], None]], Coroutine[Any, Any, Answer]]
"""Starts work that passes each piece to the given function and returns the Answer."""


async def _read(
    work: Telling, finish: Callable[[Answer], None], tasks: list[asyncio.Task[Answer]], answers: list[Answer]
) -> AsyncGenerator[str, None]:
    """Run the work as a task and yield its pieces. Stop the task at the end in any case.

    Add the task to `tasks`. At the end, call `finish` with its answer and add that to `answers`. The generator does not
    refer to its stream, so that the event loop closes it when the stream is no longer used.
    """
    pieces: asyncio.Queue[str | None] = asyncio.Queue()  # None after the last piece
    task = asyncio.create_task(work(pieces.put_nowait))
    tasks.append(task)
    task.add_done_callback(lambda _: pieces.put_nowait(None))
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        answer = await task
        finish(answer)
        answers.append(answer)
    finally:
        await background.stop([task])


class ReplyStream(
    Iterator[str], AsyncIterator[str], AbstractContextManager["ReplyStream"], AbstractAsyncContextManager["ReplyStream"]
):
    """The pieces of a reply, for a `for` loop, or for an `async for` loop on any event loop.

    `MemoryChat.stream` returns it.

    >>> from rlm_memory_core import MemoryChat
    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "My cat is called Mochi.")
    >>> with chat.stream("What is my cat called?") as reply:
    ...     print("".join(reply))
    My cat is called Mochi.
    >>> reply.answer.usage.calls
    1
    >>> async def talk():
    ...     async with chat.stream("Who am I?") as reply:
    ...         return [piece async for piece in reply]
    >>> asyncio.run(talk())
    ["I don't know"]
    """

    def __init__(self, work: Telling, finish: Callable[[Answer], None]) -> None:
        self._tasks: list[asyncio.Task[Answer]] = []
        self._answers: list[Answer] = []
        self._one = asyncio.Lock()  # one at a time reads or stops
        self._pieces = _read(work, finish, self._tasks, self._answers)

    @property
    def answer(self) -> Answer:
        """The complete answer, once the stream has been read to its end.

        Raises:
            RuntimeError: The stream was not read to its end, or it failed.
        """
        if not self._answers:
            raise RuntimeError("there is no answer before the stream has been read to its end")
        return self._answers[0]

    def __next__(self) -> str:
        try:
            return background.run(self._next())
        except StopAsyncIteration:
            raise StopIteration from None

    async def __anext__(self) -> str:
        return await background.arun(self._next())

    def close(self) -> None:
        """Stop the reply. Do nothing if it has ended."""
        background.run(self._stop())

    async def aclose(self) -> None:
        """Stop the reply like `close`, for callers with their own event loop."""
        await background.arun(self._stop())

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _next(self) -> str:
        async with self._one:
            return await anext(self._pieces)

    async def _stop(self) -> None:
        """Stop the work and wait until it has ended. A reader that waits for a piece gets a CancelledError."""
        for task in self._tasks:
            task.cancel()
        async with self._one:
            await self._pieces.aclose()
