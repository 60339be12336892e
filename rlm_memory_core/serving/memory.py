"""Decides what a model is asked, or whether the memory answers, for one request to the endpoint.

A request goes to the model as the client sent it, after what the same person said in earlier conversations. Where that
history is long, `query` answers from it. Its answer is the reply, unless the request sets what only the model itself
can keep, such as a temperature, tools or a response format: then the model is asked, and told what the memory says.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..chat.direct import as_messages, opening
from ..models import types
from ..models.llm import LLM
from ..models.pricing import Usage
from ..query.engine import MemoryRLM
from ..store.times import written
from . import replies
from .conversation import Conversation, recollection
from .limits import Refusal

_OURS = frozenset({"model", "messages", "user"})  # what a request may hold that the memory answers
_STREAM = ("stream", "stream_options")


@dataclass(frozen=True)
class Asking:
    """Who is asked for the reply to a request, and what.

    Args:
        backend: The model, or the memory's reply.
        request: What it is asked.
        usage: What the memory took, if it was asked before.
    """

    backend: types.Backend
    request: types.Request
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class _Known:
    """A backend whose only reply is known."""

    reply: str

    async def send(self, request: types.Request) -> types.Response:
        return types.Response(self.reply)

    async def stream(self, request: types.Request) -> AsyncGenerator[str, None]:
        yield self.reply


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

    def _keep(self, backend: types.Backend) -> types.Backend:
        self._backend = backend
        return backend

    async def prepare(self, body: Mapping[str, Any], talk: Conversation) -> Asking:
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
            if sent.keys() <= _OURS and talk.is_plain:
                return Asking(_Known(replies.completion(self.llm.model, answer)), types.Request(types.CHAT_PATH, sent))
            remembered, messages, usage = [recollection(answer)], talk.tail(int(self._threshold)), answer.usage
        else:
            remembered = await asyncio.to_thread(lambda: list(as_messages(talk.earlier())))
        system = [opening(talk.system, today)] if remembered else talk.instructions
        sent["messages"] = [*system, *remembered, *messages]
        return Asking(self._backend, types.Request(types.CHAT_PATH, sent), usage)

    def told(self, error: types.BackendError | types.ModelError) -> Refusal:
        """What a client is told of an error of the model's server. Its refusal of our key is not the client's fault."""
        if isinstance(error, types.ModelError):
            return Refusal(502, str(error))
        said = types.explain(error, self.llm.model, self.llm.base_url, self.llm.api_key, self.llm.timeout)
        if isinstance(error, types.Refused) and error.status not in (401, 403):
            return Refusal(error.status, said, error.retry_after or 0)
        return Refusal(504 if isinstance(error, types.TimedOut) else 502, said)
