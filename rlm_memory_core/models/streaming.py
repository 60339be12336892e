"""Streaming: a listener receives a reply in pieces as they arrive.

The earlier steps of the pipeline still see one request and one complete answer. A streamed answer is therefore recorded
once it is complete, and a recorded answer arrives in one piece. A request is not retried once a piece has arrived.
"""

import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from ..store.escaping import well_formed
from .adapting import is_too_long, server_message
from .normalise import Content, ThoughtSplitter
from .types import Backend, BackendError, ContextExceeded, Request, Response, StreamBroken

_CONTENT = ("text", "thoughts", "refusal")


class Listener:
    """Receives a reply piece by piece, without its thoughts. `text` is the reply so far.

    Args:
        tell: Called with each piece on the background loop. It must not wait, raise or ask a model.

    >>> listener = Listener(lambda piece: print(piece, end="|"))
    >>> for piece in ("<think>A cat?</think>My cat ", "is Mochi."):
    ...     listener.hear(piece)
    My cat |is Mochi.|
    >>> listener.text
    'My cat is Mochi.'
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._pieces: list[str] = []
        self.begin()

    @property
    def text(self) -> str:
        """The reply so far."""
        return "".join(self._pieces)

    def begin(self) -> None:
        """Empty `received`, the incomplete reply with its thoughts: an attempt begins, or its reply is complete."""
        self.received: list[str] = []
        self._splitter = ThoughtSplitter()

    def hear(self, piece: str, thoughts: str = "", is_last: bool = False) -> None:
        """Take one piece, and any thoughts that the server sent separately."""
        self.received += [piece, thoughts]
        if said := self._splitter.feed(well_formed(piece), is_last):
            self._pieces.append(said)
            self._tell(said)

    def end(self, text: str) -> None:
        """Take the whole reply at once if it did not arrive in pieces, for example because it was recorded."""
        self.begin()
        if not self._pieces:
            self.hear(text, is_last=True)


async def hear(backend: Backend, request: Request, listener: Listener) -> Response:
    """Stream the answer of one request to a listener, and return the complete answer.

    Args:
        backend: Streams the answer.
        request: The request to send.
        listener: Receives each piece.

    Raises:
        StreamBroken: The answer broke off. It can be retried only if no piece had arrived.
        BackendError: There is no answer.
    """
    pieces: list[Content] = []
    usage, finish, has_ended = None, None, False
    listener.begin()
    try:
        async with aclosing(backend.stream(request)) as events:
            async for event in events:
                if event == "[DONE]":
                    has_ended = True
                    continue
                if not pieces and not event.lstrip().startswith(("{", "[")):
                    return Response(event)  # for example an HTML page instead of a completion
                chunk, choice, piece = _parts(event)
                if choice.get("message") and not choice.get("delta"):  # the whole answer, without streaming
                    return Response(event)
                pieces.append(piece)
                usage, finish = chunk.get("usage") or usage, choice.get("finish_reason") or finish
                has_ended = has_ended or finish is not None
                listener.hear(piece.text, piece.thoughts)
        if not has_ended:
            raise StreamBroken("the stream ended early")
    except BackendError as error:
        if not has_ended:  # a failure after the end is harmless
            if not listener.text:
                listener.begin()
                raise
            raise StreamBroken(str(error), retryable=False) from error
    listener.hear("", is_last=True)
    listener.begin()
    text, thoughts, refusal = ("".join(getattr(piece, name) for piece in pieces) or None for name in _CONTENT)
    message = {"role": "assistant", "content": text, "reasoning_content": thoughts, "refusal": refusal}
    return Response(json.dumps({"choices": [{"message": message, "finish_reason": finish}], "usage": usage}))


def _parts(event: str) -> tuple[dict[str, Any], dict[str, Any], Content]:
    """Return a chunk, its first choice, and the content that it adds.

    Raises:
        StreamBroken: The event is not a chunk, or it is a server error.
    """
    try:
        chunk = json.loads(event)
        if chunk.get("error") or ("choices" not in chunk and chunk.get("message")):
            broken = StreamBroken(server_message(event))
            if is_too_long(400, event):
                broken.becomes, broken.retryable = ContextExceeded, False
            raise broken
        choice = (chunk.get("choices") or [{}])[0]
        return chunk, choice, Content.of(choice.get("delta") or {})
    except (ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:
        raise StreamBroken(f"it sent {event[:100]!r} in its stream") from error
