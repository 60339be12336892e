"""Decides what a model is asked, or whether the memory answers, for one request to the endpoint.

A request goes to the model as the client sent it, after what the same person said in earlier conversations. Where that
history is long, `query` answers from it. Its answer is the reply, unless the request sets what only the model itself
can keep, such as a temperature, tools or a response format: then the model is asked, and told what the memory says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..chat.direct import as_messages, opening
from ..models.llm import LLM
from ..models.pricing import Usage
from ..models.types import (
    CHAT_PATH,
    Backend,
    BackendError,
    ModelError,
    Refused,
    Request,
    TimedOut,
    count_tokens,
    explain,
)
from ..query.engine import MemoryRLM
from ..store.times import written
from . import replies
from .conversation import Conversation, recollection
from .limits import Refusal

_OURS = frozenset({"model", "messages", "user"})  # what a request may hold that the memory answers
_STREAM = ("stream", "stream_options")


@dataclass(frozen=True)
class Prepared:
    """What to do for a request.

    Args:
        request: What the model is asked.
        reply: The memory's reply; None to ask the model.
        usage: What the memory took.
    """

    request: Request
    reply: dict[str, Any] | None = None
    usage: Usage = field(default_factory=Usage)

    def counted(self, usage: Any, message: Mapping[str, Any]) -> dict[str, Any]:
        """The `usage` to tell the client, of what the model's server counted and what the memory took."""
        if self.reply:
            return replies.counted(None, Usage(), self.usage)
        asked = Usage(self.request.tokens, count_tokens(str(message.get("content") or "")), 1)
        return replies.counted(usage, asked, self.usage)


class Memory:
    """One model, with memory.

    Args:
        model, base_url: As for `connect`. Nothing is recorded: who asks for another reply wants another one.
        threshold: Above so many characters of history the memory answers.

    Raises:
        ModelError: The API key is missing.
        ValueError: As for `connect`.
    """

    def __init__(self, model: str, base_url: str | None = None, threshold: float = 20_000) -> None:
        self.llm = LLM(model, base_url, recorded="off", wrap=self._keep)
        self.llm.open()
        self._engine, self._threshold = MemoryRLM(self.llm), threshold

    def _keep(self, backend: Backend) -> Backend:
        self._backend = backend
        return backend

    async def prepare(self, body: Mapping[str, Any], talk: Conversation) -> Prepared:
        """Ask the memory, if the history is long, and put together what the model is asked.

        Raises:
            ModelError: The memory gave no answer.
        """
        sent = {name: value for name, value in body.items() if value is not None and name not in _STREAM}
        sent["model"] = self.llm.model
        today = written(datetime.now(UTC), talk.store.tz, clock=False)
        messages, usage = talk.messages, Usage()
        if talk.question and talk.history.characters() > self._threshold:
            answer = await self._engine.aquery(talk.history, talk.question, today, system=talk.system)
            usage = answer.usage
            if sent.keys() <= _OURS and talk.is_plain:
                return Prepared(Request(CHAT_PATH, sent), replies.completion(self.llm.model, answer), usage)
            remembered, messages = [recollection(answer)], talk.tail(int(self._threshold))
        else:
            remembered = await asyncio.to_thread(lambda: list(as_messages(talk.earlier())))
        system = [opening(talk.system, today)] if remembered else talk.instructions
        return Prepared(Request(CHAT_PATH, sent | {"messages": [*system, *remembered, *messages]}), None, usage)

    async def ask(self, request: Request) -> dict[str, Any]:
        """Ask the model once, and return its completion.

        Raises:
            BackendError: There is none.
        """
        response = await self._backend.send(request)
        return replies.parsed(response.text)

    async def stream(self, prepared: Prepared) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of the reply; the whole completion as one, if it is there or the server does not stream."""
        if prepared.reply:
            yield prepared.reply
            return
        async with aclosing(self._backend.stream(prepared.request)) as events:
            async for event in events:
                if event != "[DONE]":
                    yield replies.parsed(event)

    def told(self, error: BackendError | ModelError) -> Refusal:
        """What a client is told of an error of the model's server. Its refusal of our key is not the client's fault."""
        if isinstance(error, ModelError):
            return Refusal(502, str(error))
        said = explain(error, self.llm.model, self.llm.base_url, self.llm.api_key, self.llm.timeout)
        if isinstance(error, Refused) and error.status not in (401, 403):
            return Refusal(error.status, said, error.retry_after or 0)
        return Refusal(504 if isinstance(error, TimedOut) else 502, said)
