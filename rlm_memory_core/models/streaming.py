"""Streaming: a listener receives a reply in pieces as they arrive.

The earlier steps of the pipeline still see one request and one complete answer. A streamed answer is therefore recorded
once it is complete, and a recorded answer arrives in one piece. A request is not retried once a piece has arrived.
"""

from collections.abc import Callable
from contextlib import aclosing

from ..store.escaping import well_formed
from .normalise import Chunks, whole
from .thoughts import ThoughtSplitter
from .types import Backend, BackendError, Request, Response, StreamBroken


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
        self._splitter.thoughts += [thoughts] * bool(thoughts)
        if said := well_formed(self._splitter.feed(piece, is_last)):
            self._pieces.append(said)
            self._tell(said)

    def end(self, text: str) -> None:
        """Take the whole reply at once if it did not arrive in pieces, for example because it was recorded."""
        if not self._pieces:
            self._pieces.append(text)
            self._tell(text)


async def ask(backend: Backend, request: Request, listener: Listener | None = None) -> Response:
    """Send one request and return the complete answer. If there is a listener, stream the answer to it.

    Args:
        backend: Answers.
        request: The request to send.
        listener: Receives each piece, or None.

    Raises:
        StreamBroken: The answer broke off. It can be retried only if no piece had arrived.
        BackendError: There is no answer.
    """
    if listener is None:
        return whole(await backend.send(request))
    chunks, other = Chunks(), list[str]()
    listener.begin()
    try:
        async with aclosing(backend.stream(request)) as events:
            async for event in events:
                for piece in chunks.read(event):
                    listener.hear(piece.text, piece.thoughts)
                if not chunks.has_begun:
                    other.append(event)
        if other and not chunks.has_begun:
            return Response("\n".join(other))  # for example an HTML page instead of a completion
        if not chunks.has_ended:
            raise StreamBroken("the stream ended early")
    except BackendError as error:
        if not chunks.has_ended:  # a failure after the end is harmless
            if not listener.text:
                listener.begin()
                raise
            raise StreamBroken(str(error), retryable=False) from error
    listener.hear("", is_last=True)
    listener.begin()
    return chunks.response()
