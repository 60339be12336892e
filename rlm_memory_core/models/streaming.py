"""Streaming: a listener gets a reply in pieces as they arrive.

The earlier steps of the pipeline still see one request and one complete answer, so a
streamed answer is recorded when it is whole, and a recorded one is heard at once. Once a
piece was heard, the request is not sent again.
"""

import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from ..store.escaping import well_formed
from .adapting import server_message
from .normalise import Content, ThoughtSplitter
from .types import Backend, BackendError, Request, Response, StreamBroken

_CONTENT = ("text", "thoughts", "refusal")


class Listener:
    """Hears a reply piece by piece, without its thoughts; `text` is what was heard so far.

    Args:
        tell: Called with each piece on the background loop; it must not wait, raise or ask a model.

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
        """All that was heard."""
        return "".join(self._pieces)

    def begin(self) -> None:
        """Note that an attempt begins, or that its reply is whole; `received` holds all that is not, with thoughts."""
        self.received: list[str] = []
        self._splitter = ThoughtSplitter()

    def hear(self, piece: str, thoughts: str = "", is_last: bool = False) -> None:
        """Take one piece, and the thoughts that the server has put apart."""
        self.received += [piece, thoughts]
        if said := self._splitter.feed(well_formed(piece), is_last):
            self._pieces.append(said)
            self._tell(said)

    def end(self, text: str) -> None:
        """Take the whole reply at once if it did not come in pieces, for example because it was recorded."""
        self.begin()
        if not self._pieces:
            self.hear(text, is_last=True)


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
                    return Response(event)  # a page instead of a completion
                chunk, choice, piece = _parts(event)
                if "message" in choice:  # the whole answer of a server that does not stream
                    return Response(event)
                pieces.append(piece)
                usage, finish = chunk.get("usage") or usage, choice.get("finish_reason") or finish
                has_ended = has_ended or finish is not None
                listener.hear(piece.text, piece.thoughts)
        if not has_ended:
            raise StreamBroken("the stream ended early")
    except BackendError as error:
        if not has_ended:  # a failure after the end does no harm
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
    """Return a chunk, its first choice and what it adds.

    Raises:
        StreamBroken: The event is no chunk, or an error of the server.
    """
    try:
        chunk = json.loads(event)
        if chunk.get("error"):
            raise StreamBroken(server_message(event))
        choice = (chunk.get("choices") or [{}])[0]
        return chunk, choice, Content.of(choice.get("delta") or {})
    except (ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:
        raise StreamBroken(f"it sent {event[:100]!r} in its stream") from error
