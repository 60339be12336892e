"""Streaming: a listener gets a reply in pieces as they arrive.

The earlier steps of the pipeline still see one request and one complete answer, so a
streamed answer is recorded when it is whole, and a recorded one is heard at once. Once a
piece was heard, the request is not sent again.
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
_HEAD = ("id", "created", "model", "usage")  # fields of a chunk that belong to the whole answer


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
        begun = self._prompt_tokens
        return None if begun is None else Usage(begun, -(-self.heard // BYTES_PER_TOKEN), 1)

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
    head: dict[str, Any] = {}
    said, refusal, finish, has_ended = "", "", None, False
    try:
        async with aclosing(backend.stream(request)) as events:
            async for event in events:
                listener.begin(request.tokens)
                if event == _DONE:
                    has_ended = True
                    continue
                if not head and not listener.heard and not event.lstrip().startswith(("{", "[")):
                    listener.begin(None)
                    return Response(event)  # a page instead of a completion
                chunk, choice, delta = _parts(event)
                if "message" in choice:  # the whole answer of a server that does not stream
                    listener.begin(None)
                    return Response(event)
                head |= {name: chunk[name] for name in _HEAD if chunk.get(name)}
                refusal += str(delta.get("refusal") or "")
                finish = choice.get("finish_reason") or finish
                has_ended = has_ended or finish is not None
                if piece := str(delta.get("content") or ""):
                    said += piece
                    listener.hear(piece)
        if not has_ended:
            raise StreamBroken("the stream ended early")
    except BackendError as error:
        if not has_ended:  # a failure after the end does no harm
            if listener.heard:
                raise StreamBroken(str(error), retryable=False) from error
            listener.begin(None)
            raise
    listener.begin(None)
    message = {"role": "assistant", "content": said or None, "refusal": refusal or None}
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return Response(json.dumps({**head, "object": "chat.completion", "choices": choices}))


def _parts(event: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return a chunk, its first choice and what it adds.

    Raises:
        StreamBroken: The event is no chunk, or an error of the server.
    """
    try:
        chunk = json.loads(event)
        if error := chunk.get("error"):
            raise StreamBroken(str(error.get("message") or error) if isinstance(error, dict) else str(error))
        choice = (chunk.get("choices") or [{}])[0]
        return chunk, choice, dict(choice.get("delta") or {})
    except (ValueError, AttributeError, TypeError, LookupError) as error:
        raise StreamBroken(f"it sent {event[:100]!r} in its stream") from error
