"""Builds the request to the model from a request to the endpoint.

The model writes each reply. It sees the person's earlier conversations, then the messages as the client sent them. If
the earlier conversations are long, it sees the answer of a search (`MemoryRLM`) instead of them.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..chat.direct import as_messages, opening
from ..models import types
from ..models.llm import LLM
from ..models.pricing import Usage
from ..query.engine import MemoryRLM
from ..store.times import written
from .conversation import Conversation, recollection

_STREAM = ("stream", "stream_options")
_KEPT = 1_000  # search results kept for the tool calls that follow a question


class Memory:
    """Adds a memory to one model.

    Args:
        model, base_url: As for `connect`. Replies are not recorded, so that asking again gives another reply.
        threshold: Earlier conversations with more characters than this are searched instead of shown.

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

    async def prepare(self, body: Mapping[str, Any], talk: Conversation) -> tuple[types.Request, Usage]:
        """Build the request to the model; search the history first if it is long.

        Args:
            body: The request to the endpoint.
            talk: Its conversation.

        Returns:
            The request, and the usage of the search.

        Raises:
            ModelError: The search gave no answer.
        """
        today = written(datetime.now(UTC), talk.store.tz, clock=False)
        usage = Usage()
        if talk.question and talk.characters > self._threshold:
            asked = talk.store.path, talk.question
            # the tool calls that follow a question use what was found for it
            if asked not in self._recalled or talk.messages[-1]["role"] == "user":
                answer = await self._engine.aquery(talk.history, talk.question, today)
                self._recalled[asked], usage = recollection(answer), answer.usage
            remembered = [self._recalled[asked]]
            if len(self._recalled) > _KEPT:
                del self._recalled[next(iter(self._recalled))]
        else:
            remembered = await asyncio.to_thread(lambda: list(as_messages(talk.earlier())))
        system = [opening(talk.system, today)] if remembered else talk.instructions
        sent = {name: value for name, value in body.items() if value is not None and name not in _STREAM}
        sent |= {"model": self.llm.model, "messages": [*system, *remembered, *talk.messages]}
        return types.Request(types.CHAT_PATH, sent), usage
