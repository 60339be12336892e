"""Answers that come in pieces: `Chunks` puts them together, and a listener hears them as they arrive.

The earlier steps of the pipeline still see one request and one complete answer. A streamed answer is therefore recorded
once it is complete, and a recorded answer arrives in one piece. A request is not retried once a piece has arrived.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

from ..store.escaping import well_formed
from .adapting import is_too_long
from .normalise import NO_CHUNK, Content, index_of, is_error, read_choice
from .thoughts import ThoughtSplitter
from .types import Backend, BackendError, ContextExceeded, Request, Response, StreamBroken
from .wording import server_message


class Chunks:
    """Puts a reply together from the JSON objects that a server sends: the chunks of a stream, or one for the whole.

    If there are several choices, the first is read. `has_ended` tells whether the reply is complete.

    >>> chunks = Chunks()
    >>> for delta, finish in (({"content": "Hel"}, None), ({"content": "lo!"}, "stop")):
    ...     _ = chunks.add({"choices": [{"delta": delta, "finish_reason": finish}]})
    >>> chunks.content.text, chunks.has_ended
    ('Hello!', True)
    """

    def __init__(self) -> None:
        self.usage: Any = None
        self.finish: Any = None
        self.has_ended = False
        self._index: str | None = None  # of the choice that is read, once it has text
        self._contents: list[Content] = []

    def add(self, chunk: Mapping[str, Any]) -> Content:
        """Add a chunk and return its content.

        Raises:
            LookupError, TypeError, AttributeError: It is not a chunk of a completion.
        """
        self.usage = chunk.get("usage") or self.usage
        choice, content, is_whole = read_choice(chunk, self._index)
        if is_whole and self._index is not None:
            content = Content()  # some servers send all again at the end
        self.finish = choice.get("finish_reason") or self.finish
        self.has_ended = self.has_ended or is_whole or self.finish is not None
        self._index = index_of(choice) if content.text else self._index
        self._contents += [content] * any(content)
        return content

    def read(self, event: str) -> Content:
        """Add the chunk of an event and return its content. The last event of a stream has none.

        Raises:
            StreamBroken: The event is not a chunk, or it is a server error.
        """
        if event == "[DONE]" or event.replace("-", "").isalpha() or not event:  # the end, or a sign of life
            self.has_ended = self.has_ended or event == "[DONE]"
            return Content()
        try:
            chunk = json.loads(event)
            if not is_error(chunk):
                return self.add({"choices": [], **chunk})
        except NO_CHUNK as error:
            raise StreamBroken(f"it sent {event[:100]!r} in its stream") from error
        broken = StreamBroken(server_message(event))
        if is_too_long(400, event):
            broken.becomes, broken.retryable = ContextExceeded, False
        raise broken

    @property
    def content(self) -> Content:
        """The content of all chunks."""
        return Content(*map("".join, zip(*self._contents, strict=True)))

    def response(self) -> Response:
        """Return the reply as a server would send it in one piece."""
        said = self.content
        message = {"role": "assistant", "content": said.text, "reasoning_content": said.thoughts}
        choice = {"message": {**message, "refusal": said.refusal}, "finish_reason": self.finish}
        return Response(json.dumps({"choices": [choice], "usage": self.usage}))


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


def whole(response: Response) -> Response:
    """Return a text that a server streamed without being asked as one completion, and any other answer as it is."""
    chunks = Chunks()
    with suppress(StreamBroken):
        # the rest of a very long answer is one line, which is not read
        for line in response.text.split("\n", 200_000) if response.body is None else ():
            if line.startswith("data:"):
                chunks.read(line.removeprefix("data:").strip())
    return chunks.response() if chunks.has_ended and any(chunks.content) and chunks.finish != "tool_calls" else response


async def ask(backend: Backend, request: Request, listener: Listener | None = None) -> Response:
    """Send one request and return the complete answer. If there is a listener, stream the answer to it.

    If the server sends no stream at all, such as a page of a proxy, return what it sent. It counts as unreadable.

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
    chunks = Chunks()
    listener.begin()
    try:
        async with aclosing(backend.stream(request)) as events:
            async for event in events:
                piece = chunks.read(event)
                listener.hear(piece.text, piece.thoughts)
        if not chunks.has_ended:
            raise StreamBroken("the stream ended early")
    except BackendError as error:
        if not chunks.has_ended:  # a failure after the end is harmless
            if not listener.text:
                listener.begin()
                if isinstance(error.__cause__, NO_CHUNK):  # no stream at all, such as a page of a proxy
                    return Response(str(error))
                raise
            raise StreamBroken(str(error), retryable=False) from error
    listener.hear("", is_last=True)
    listener.begin()
    return chunks.response()
