"""Answers that come in pieces: `Chunks` puts them together, and a listener hears them as they arrive.

The earlier steps of the pipeline still see one request and one complete answer. A streamed answer is therefore recorded
once it is complete, and a recorded answer arrives in one piece. A request is not retried once a piece has arrived.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from itertools import islice
from typing import Any

from ..store.escaping import well_formed
from .adapting import is_too_long
from .normalise import NO_CHUNK, Content, index_of, is_error, read_choice
from .thoughts import ThoughtSplitter
from .types import Backend, BackendError, ContextExceeded, Request, Response, StreamBroken
from .wording import server_message

# a line with JSON, or one that tells of an error; servers send other words between them
_LINE = re.compile(r"^[^\S\n]*+(?:(?:data|error):)?[^\S\n]*+(\{.*|(?i:error)\b.*)", re.M)
_MOST_SENT, _MOST_CHUNKS = 8_000_000, 100_000  # characters and chunks of a stream that was not asked for


class Chunks:
    """Puts a reply together from the JSON objects that a server sends: the chunks of a stream, or one for the whole.

    If there are several choices, the first that holds text is read.

    `has_begun` tells whether any chunk was added, and `has_ended` whether the reply is complete. `error` is what the
    server sent instead of a chunk, or None.

    >>> chunks = Chunks()
    >>> for delta, finish in (({"content": "Hel"}, None), ({"content": "lo!"}, "stop")):
    ...     _ = chunks.add({"choices": [{"delta": delta, "finish_reason": finish}]})
    >>> chunks.content.text, chunks.has_ended
    ('Hello!', True)
    """

    def __init__(self) -> None:
        self.usage: Any = None
        self.finish: Any = None
        self.has_ended = self.has_begun = False
        self.error: Any = None
        self._index: str | None = None  # of the choice that is read
        self._parts: dict[str, list[str]] = {name: [] for name in vars(Content())}  # none is empty
        self._length = 0  # of the text so far

    def add(self, chunk: Mapping[str, Any]) -> Content:
        """Add a chunk and return its content.

        Raises:
            LookupError, TypeError, AttributeError: It is not a chunk of a completion.
        """
        self.usage = chunk.get("usage") or self.usage
        choice, content, is_whole = read_choice(chunk, self._index)
        if is_whole and len(content.text) >= self._length:  # joins no more text than arrived with this chunk
            content.text = content.text.removeprefix("".join(self._parts["text"]))  # some servers send all again
        self.finish = choice.get("finish_reason") or self.finish
        self.has_ended = self.has_ended or is_whole or self.finish is not None
        self._index = index_of(choice) if content.text else self._index
        self.has_begun, self._length = True, self._length + len(content.text)
        for name, part in vars(content).items():
            self._parts[name] += [part] * bool(part)
        return content

    def read(self, event: str) -> Iterator[Content]:
        """Add the chunks of an event, usually one, and yield their contents.

        Raises:
            StreamBroken: The event is not a chunk, or it is a server error.
        """
        try:
            for chunk in objects(event):
                if is_error(chunk):
                    self.error, text = chunk, json.dumps(chunk)
                    broken = StreamBroken(server_message(text))
                    if is_too_long(400, text):
                        broken.becomes, broken.retryable = ContextExceeded, False
                    raise broken
                yield self.add({"choices": [], **chunk})
        except NO_CHUNK as error:
            raise StreamBroken(f"it sent {event[:100]!r} in its stream") from error
        self.has_ended = self.has_ended or event.endswith("[DONE]")

    @property
    def content(self) -> Content:
        """The content of all chunks."""
        return Content(*map("".join, self._parts.values()))

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


def objects(text: str) -> Iterator[Any]:
    """Yield the JSON value in a body, or the values of its lines if a server sends lines or events unasked.

    Raises:
        ValueError: A line that should be JSON is not, or tells of an error.

    >>> list(objects('data: {"a": 1}\\n\\ndata: {"b": 2}\\n\\ndata: [DONE]\\n'))
    [{'a': 1}, {'b': 2}]
    """
    try:
        yield from [value] if isinstance(value := json.loads(text), (dict, list)) else []
    except ValueError:
        for line in _LINE.finditer(text):
            yield json.loads(line[1])


def whole(response: Response) -> Response:
    """Return an answer that came in lines or events as one completion, and any other answer as it is.

    Of lines with an error, return the error alone: the server has answered, so that asking again would only cost more.
    What follows the end of a complete reply is ignored, as in a stream.
    """
    if response.body is not None:
        return response
    chunks = Chunks()
    with suppress(StreamBroken):
        for _ in islice(chunks.read(response.text[:_MOST_SENT]), _MOST_CHUNKS):
            pass
    if chunks.has_ended:
        return chunks.response()
    return Response(json.dumps(chunks.error)) if chunks.error else response


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
