"""Decides what a model is asked for one request to the endpoint.

The model writes each reply. It gets what the same person said in earlier conversations, and then the messages of the
request as the client sent them. Where that history is long, a search through it (`MemoryRLM`) says what of it matters.
"""

import asyncio
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..chat.direct import as_messages, opening
from ..models import types
from ..models.llm import LLM
from ..models.pricing import Usage
from ..query.engine import MemoryRLM
from ..store.times import written
from .conversation import Conversation, recollection
from .limits import Refusal

_STREAM = ("stream", "stream_options")
_KEPT = 1_000  # recollections, for the tool calls that follow a question


class Asking(NamedTuple):
    """What the model is asked for the reply to a request, and what the search took before."""

    request: types.Request
    usage: Usage


class Memory:
    """One model, with memory.

    Args:
        model, base_url: As for `connect`. Nothing is recorded: who asks for another reply wants another one.
        threshold: Characters; where more were said in earlier conversations, they are searched.

    Raises:
        ModelError: The API key is missing.
        ValueError: As for `connect`.
    """

    backend: types.Backend

    def __init__(self, model: str, base_url: str | None = None, threshold: float = 20_000) -> None:
        self.llm = LLM(model, base_url, recorded="off", wrap=self._keep)
        self.llm.open()
        self._engine, self._threshold = MemoryRLM(self.llm), threshold
        self._recalled: dict[tuple[Path | None, str], types.ChatMessage] = {}

    def _keep(self, backend: types.Backend) -> types.Backend:
        self.backend = backend
        return backend

    async def prepare(self, body: Mapping[str, Any], talk: Conversation) -> Asking:
        """Put together what the model is asked; search the history before, if it is long.

        Args:
            body: The request.
            talk: Its conversation. If it is too long for the model's context, a short history is searched too, and
                only the last messages are sent.

        Raises:
            ModelError: The search gave no answer.
        """
        today = written(datetime.now(UTC), talk.store.tz, clock=False)
        messages, usage = talk.tail(self._threshold) if talk.is_too_long else talk.messages, Usage()
        if talk.question and (talk.is_too_long or talk.characters > self._threshold):
            remembered, usage = await self._recall(talk, today)
        else:
            remembered = await asyncio.to_thread(lambda: list(as_messages(talk.earlier())))
        system = [opening(talk.system, today)] if remembered else talk.instructions
        sent = {name: value for name, value in body.items() if value is not None and name not in _STREAM}
        sent |= {"model": self.llm.model, "messages": [*system, *remembered, *messages]}
        return Asking(types.Request(types.CHAT_PATH, sent), usage)

    async def _recall(self, talk: Conversation, today: str) -> tuple[list[types.ChatMessage], Usage]:
        """Search for what the user last asked; each step of the tool calls that follow reuses what was found."""
        asked, usage = (talk.store.path, talk.question), Usage()
        is_asked_anew = talk.messages[-1]["role"] == "user" and not talk.is_too_long
        if is_asked_anew or asked not in self._recalled:
            answer = await self._engine.aquery(talk.history, talk.question, today)
            self._recalled[asked], usage = recollection(answer), answer.usage
        found = self._recalled[asked]
        if len(self._recalled) > _KEPT:
            del self._recalled[next(iter(self._recalled))]
        return [found], usage

    def told(self, error: types.BackendError | types.ModelError) -> Refusal:
        """What a client is told of an error of the model's server; its address and key are shown to the owner only."""
        said = types.explain(error, self.llm.model, self.llm.base_url, self.llm.api_key, self.llm.timeout)
        print(f"rlm-memory: {error if isinstance(error, types.ModelError) else said}", file=sys.stderr, flush=True)
        if isinstance(error, types.Refused) and error.status not in (401, 403):
            answered = f"the model's server answered: {types.first_line(error, self.llm.api_key)}"
            return Refusal(error.status, answered, error.retry_after or 0)
        status = 504 if isinstance(error, types.TimedOut) else 502
        return Refusal(status, "the model's server gave no answer; the output of this endpoint says why")
