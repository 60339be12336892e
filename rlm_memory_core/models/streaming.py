"""Replies that are heard while they come: a streamed request whose end is a whole answer again.

The steps above see one request and one complete answer, as without a listener: a streamed
answer is recorded when it is whole, and a recorded one is heard at once. Once a piece was
heard, the request is not sent again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from ..store.escaping import well_formed
from .pricing import Usage
from .types import BYTES_PER_TOKEN, Backend, BackendError, Request, Response, StreamBroken

_DONE = "[DONE]"


class Listener:
    """Hears a reply piece by piece; `text` is what was heard so far, and `heard` its number of characters.

    Args:
        tell: Called with each piece on the background loop; it must not wait, raise or ask a model.

    >>> listener = Listener(lambda piece: print(piece, end="|"))
    >>> for piece in ("My cat ", "is Mochi."):
    ...     listener.hear(piece)
    My cat |is Mochi.|
    >>> listener.text
    'My cat is Mochi.'
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._pieces: list[str] = []
        self._prompt_tokens: int | None = None  # while a reply comes
        self.heard = 0

    @property
    def text(self) -> str:
        """All that was heard."""
        return "".join(self._pieces)

    @property
    def unfinished(self) -> Usage | None:
        """An estimate of what a reply has taken that has begun and not ended; None before and after."""
        if self._prompt_tokens is None:
            return None
        return Usage(self._prompt_tokens, -(-self.heard // BYTES_PER_TOKEN), 1)

    def begin(self, prompt_tokens: int | None) -> None:
        """Note that a reply to so many tokens comes; None that it has ended or failed."""
        self._prompt_tokens = prompt_tokens

    def hear(self, piece: str) -> None:
        """Take one piece."""
        piece = well_formed(piece)
        self._pieces.append(piece)
        self.heard += len(piece)
        self._tell(piece)

    def end(self, text: str) -> None:
        """Take the whole reply at once if it did not come in pieces, for example because it was recorded."""
        self.begin(None)
        if not self._pieces:
            self.hear(text)


async def hear(backend: Backend, request: Request, listener: Listener) -> Response:
    """Stream one request to a listener and put the whole answer together.

    Args:
        backend: Streams the answer.
        request: What is asked.
        listener: Hears each piece.

    Raises:
        StreamBroken: The answer broke off; it is retryable only while nothing was heard.
        BackendError: There is no answer.
    """
    answer = _StreamedAnswer()
    try:
        async with aclosing(backend.stream(request)) as events:
            async for event in events:
                listener.begin(request.tokens)
                if piece := answer.add(event):
                    listener.hear(piece)
        if not answer.has_ended:
            raise StreamBroken("the stream ended early")
    except BackendError as error:
        if not answer.has_ended:
            if listener.heard:
                raise StreamBroken(str(error), retryable=False) from error
            listener.begin(None)
            raise
    listener.begin(None)
    return Response(answer.whole or json.dumps(answer.completion()))  # in ASCII: a lone surrogate has no UTF-8


class _StreamedAnswer:
    """A chat completion that is put together from its chunks.

    `has_ended` says whether the last chunk came: failures after it do no harm. `whole` is the answer of a server that
    does not stream.
    """

    def __init__(self) -> None:
        self.has_ended, self.whole = False, ""
        self._head: dict[str, Any] = {}
        self._said = {"content": "", "refusal": ""}
        self._finish: str | None = None

    def add(self, event: str) -> str:
        """Take one event and return its piece of text, or "".

        Raises:
            StreamBroken: The event is no chunk, or an error of the server.
        """
        if event == _DONE:
            self.has_ended = True
            return ""
        try:
            chunk = json.loads(event)
            if error := chunk.get("error"):
                raise StreamBroken(str(error.get("message") or error) if isinstance(error, dict) else str(error))
            return self._add_chunk(chunk, event)
        except (ValueError, AttributeError, TypeError) as error:
            raise StreamBroken(f"it sent {event[:100]!r} in its stream") from error

    def _add_chunk(self, chunk: dict[str, Any], event: str) -> str:
        self._head |= {name: chunk[name] for name in ("id", "created", "model", "usage") if chunk.get(name)}
        piece = ""
        for choice in chunk.get("choices") or []:
            if "message" in choice:
                self.has_ended, self.whole = True, event
                return ""
            delta = choice.get("delta") or {}
            piece += str(delta.get("content") or "")
            self._said["refusal"] += str(delta.get("refusal") or "")
            if choice.get("finish_reason"):
                self._finish, self.has_ended = str(choice["finish_reason"]), True
        self._said["content"] += piece
        return piece

    def completion(self) -> dict[str, Any]:
        """Return the answer as it would have come without a stream."""
        message = {"role": "assistant", **{name: said or None for name, said in self._said.items()}}
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        return {**self._head, "object": "chat.completion", "choices": [choice]}
