"""Reads what servers really return: texts of chat completions, vectors of embeddings, and token counts.

Servers differ. Handle a new difference in answers here, and one in what a server accepts in `adapting`. `thoughts`
separates a model's thoughts from its reply.
"""

import base64
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..store.batching import batched
from ..store.escaping import well_formed
from .adapting import is_too_long, sendable
from .pricing import Usage
from .thoughts import split_thoughts
from .types import ContextExceeded, EmptyReply, ModelError, Reply, Request, Response, StreamBroken, count_tokens
from .wording import one_line, server_message

# prefixes of the finish reasons of a complete answer on different servers; with any other, it was cut off
_WHOLE = tuple("stop eos eot end complete tool function_call normal finishreason.stop done finished success".split())
# the fields in which servers put text, and thoughts
_TEXTS = ("text", "value", "content", "refusal", "thinking", "reasoning", "reasoning_content", "summary", "transcript")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_MOST_SAID = 1_000_000  # characters of a reply with its thoughts; a longer one counts as cut off
_MOST_SENT, _MOST_CHUNKS = 8_000_000, 100_000  # characters and chunks of a stream that was not asked for
_LINE = re.compile(r"^[^\S\n]*+(?:data:)?[^\S\n]*+(\{.*|(?i:error)\b.*)", re.M)  # servers send other words between
_BATCH_TEXTS = 256  # OpenAI accepts 2,048 texts per request, local servers fewer
_BATCH_CHARACTERS = 200_000  # OpenAI accepts 300,000 tokens per request; a character is at most about one
_NO_CHUNK = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
_TOO_MANY = 1e12  # tokens; the comparison also excludes infinity and NaN


@dataclass
class Content:
    """The content of a message, or of a piece of a streamed one.

    Args:
        text: The text, which may still contain thoughts between tags.
        thoughts: Thoughts that the server sent separately.
        refusal: Why the model refused to answer, or "".
    """

    text: str = ""
    thoughts: str = ""
    refusal: str = ""

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Content":
        """Read a message whose content is a text, a list of parts, or null.

        >>> Content.of({"content": [{"type": "text", "text": "Hel"}, {"type": "output_text", "text": "lo!"}]}).text
        'Hello!'
        """
        content = message.get("content") or message.get("audio")
        apart = next(filter(None, map(message.get, _THOUGHTS)), "")
        said, thoughts, refusals = list[Any](), [apart], [message.get("refusal")]
        for part in content if isinstance(content, list) else [content]:
            fields = part if isinstance(part, dict) else {}
            kind = str(fields.get("type"))
            is_thought = "think" in kind or "reason" in kind or any(map(fields.get, ("thought", *_THOUGHTS)))
            (refusals if kind == "refusal" or fields.get("refusal") else thoughts if is_thought else said).append(part)
        return cls(_text(said), _text(thoughts), _text(refusals))


def _text(value: Any) -> str:
    """Return a text, or the texts that lists and objects hold under the usual names; "" for anything else."""
    if isinstance(value, list):
        return "".join(map(_text, value))
    if isinstance(value, dict):
        return next(filter(None, (_text(value.get(name)) for name in _TEXTS)), "")
    return value if isinstance(value, str) else ""


class Chunks:
    """Puts a reply together from the JSON objects that a server sends: the chunks of a stream, or one for the whole.

    If there are several choices, the first that holds text is read.

    `has_begun` tells whether any chunk was added, and `has_ended` whether the reply is complete.

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
        self._index: str | None = None  # of the choice that is read
        self._parts: dict[str, list[str]] = {name: [] for name in vars(Content())}  # none is empty
        self._length = 0  # of the text so far

    def add(self, chunk: Mapping[str, Any]) -> Content:
        """Add a chunk and return its content.

        Raises:
            LookupError, TypeError, AttributeError: It is not a chunk of a completion.
        """
        self.usage = chunk.get("usage") or self.usage
        choices = sorted(chunk["choices"] or [], key=_index)
        read = [(choice, *_content(choice)) for choice in choices if self._index in (None, _index(choice))]
        choice, content, is_whole = next((each for each in read if each[1].text), [*read, ({}, Content(), False)][0])
        if is_whole and len(content.text) >= self._length:  # joins no more text than arrived with this chunk
            content.text = content.text.removeprefix("".join(self._parts["text"]))  # some servers send all again
        self.finish = choice.get("finish_reason") or self.finish
        self.has_ended = self.has_ended or is_whole or self.finish is not None
        self._index = _index(choice) if content.text else self._index
        self.has_begun, self._length = True, self._length + len(content.text)
        for name, part in vars(content).items():
            self._parts[name] += [part] * bool(part)
        return content

    def read(self, event: str) -> Iterator[Content]:
        """Add the chunks of an event, usually one, and yield their contents.

        Raises:
            StreamBroken: The event is not a chunk, or it is a server error.
        """
        self.has_ended = self.has_ended or event.endswith("[DONE]")
        try:
            for chunk in objects(event):
                if chunk.get("error") or ("choices" not in chunk and chunk.get("message")):
                    broken = StreamBroken(server_message(event))
                    if is_too_long(400, event):
                        broken.becomes, broken.retryable = ContextExceeded, False
                    raise broken
                yield self.add({"choices": [], **chunk})
        except _NO_CHUNK as error:
            raise StreamBroken(f"it sent {event[:100]!r} in its stream") from error

    @property
    def content(self) -> Content:
        """The content of all chunks."""
        return Content(*map("".join, self._parts.values()))

    def response(self, seconds: float | None = None) -> Response:
        """Return the reply as a server would send it in one piece."""
        said = self.content
        message = {"role": "assistant", "content": said.text, "reasoning_content": said.thoughts}
        choice = {"message": {**message, "refusal": said.refusal}, "finish_reason": self.finish}
        return Response(json.dumps({"choices": [choice], "usage": self.usage}), seconds)


def _index(choice: Mapping[str, Any]) -> str:
    return str(choice.get("index") or 0)


def _content(choice: Mapping[str, Any]) -> tuple[Content, bool]:
    """Return the content of a choice, and whether it is a whole message rather than a piece of one."""
    for name in ("delta", "message", "text"):
        given = choice.get(name)
        content = Content.of(given if isinstance(given, dict) else {"content": given})
        if content != Content():
            break
    return content, name != "delta" and bool(choice.get("message"))


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
    """Return an answer that came in lines or events as one completion, and any other answer as it is."""
    chunks = Chunks()
    with suppress(StreamBroken):
        if response.body is None:
            for _ in islice(chunks.read(response.text[:_MOST_SENT]), _MOST_CHUNKS):
                pass
    return chunks.response(response.seconds) if chunks.has_ended else response


def read_completion(response: Response, request: Request) -> Reply:
    """Return the text of a chat completion without thoughts, whether it was cut off, and its tokens.

    Args:
        response: What the server sent.
        request: What it was sent. Its tokens are estimated, in case the server does not count them.

    Raises:
        ModelError: The model refused, the answer was withheld, or it is not a chat completion.
        EmptyReply: It has no text.
    """
    body, chunks = response.body or {}, Chunks()
    if (body.get("error") or response.body is None) and is_too_long(400, response.text):
        raise ContextExceeded(server_message(response.text), Usage())
    try:
        content = chunks.add(body)
    except _NO_CHUNK as error:
        usage = Usage(request.tokens, count_tokens(response.text[:1_000]), 1, estimated=True)
        raise ModelError(f"it sent no chat completion but {one_line(response.text[:1_000])!r}", usage) from error
    usage = usage_of(body, Usage(request.tokens, count_tokens(content.text + content.thoughts)))
    if content.refusal:
        raise ModelError(f"it refused: {content.refusal}", usage)
    if chunks.finish == "content_filter":
        raise ModelError("the server's content filter withheld its answer", usage)
    said, apart = (well_formed(each[:_MOST_SAID]) for each in (content.text, content.thoughts))  # no lone surrogates
    text, thoughts = split_thoughts(said, apart)
    if not any(sign.isprintable() and sign != " " for sign in text):
        raise EmptyReply(f"its answer is empty (finish reason: {chunks.finish})", usage)
    is_cut = bool(chunks.finish) and not str(chunks.finish).lower().startswith(_WHOLE)
    is_cut = is_cut or len(content.text) > _MOST_SAID
    return Reply(text, usage, seconds=response.seconds or 0.0, cut=is_cut, thoughts=thoughts)


def usage_of(body: dict[str, Any], estimate: Usage = Usage()) -> Usage:  # noqa: B008  # immutable
    """Return the usage of one call, with the tokens as counted by the server.

    Args:
        body: The answer.
        estimate: Used if the server does not count tokens, or if its count is invalid.

    >>> usage_of({"usage": {"prompt_tokens": 10, "completion_tokens": -5}}, Usage(9, 3))
    Usage(prompt_tokens=10, completion_tokens=3, calls=1)
    """
    counted = usage if isinstance(usage := body.get("usage"), dict) else {}
    prompt, completion = _tokens(counted.get("prompt_tokens")), _tokens(counted.get("completion_tokens"))
    is_estimated = not prompt or (not completion and estimate.completion_tokens > 0)
    return Usage(prompt or estimate.prompt_tokens, completion or estimate.completion_tokens, 1, is_estimated)


def _tokens(counted: Any) -> int:
    """Return a server's count, or 0 if it is not a valid number of tokens."""
    if isinstance(counted, str) and counted.isdecimal():
        counted = int(counted[:20])
    return int(counted) if isinstance(counted, (int, float)) and 0 < counted < _TOO_MANY else 0


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of texts.

    Args:
        vectors: One vector for each text, in the order of the texts.
        usage: Tokens as counted by the server, and the number of calls.
        cost_usd: The price of the calls in dollars, even if they were replayed; None if the price is unknown.
        replayed_seconds: How much longer the calls would have taken if none had been replayed.
    """

    vectors: list[list[float]]
    usage: Usage
    cost_usd: float | None
    replayed_seconds: float = 0.0


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Divide texts, in order, into batches that fit one request. Empty texts become a space, as servers refuse them.

    >>> list(batches(["one", "", "two"]))
    [['one', ' ', 'two']]
    """
    for batch in batched(texts, len, _BATCH_TEXTS, _BATCH_CHARACTERS):
        yield [sendable(text) or " " for text in batch]


def read_embeddings(response: Response, request: Request) -> Reply:
    """Return the vectors of an embeddings answer, in the order of the texts, and the token count.

    Args:
        response: What the server sent.
        request: What it was sent. Its tokens are estimated, in case the server does not count them.

    Raises:
        ModelError: The answer is not a list of embeddings, lacks exactly one vector for each text, or has vectors of
            different lengths.
    """
    try:
        body = response.body or {}
        rows = [(row.get("index"), _vector(row["embedding"])) for row in body["data"]]
        found = {int(place if index is None else index): vector for place, (index, vector) in enumerate(rows)}
        usage = usage_of(body, Usage(request.tokens))
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"it sent no embeddings but {response.text[:80]!r}", Usage(request.tokens, 0, 1)) from error
    expected = len(request.body["input"])
    vectors = [found[place] for place in sorted(found)]
    if sorted(found) != list(range(expected)) or not all(vectors) or len(set(map(len, vectors))) > 1:
        raise ModelError(f"it sent no {expected} vectors of one length for {expected} texts")
    return Reply("", usage, seconds=response.seconds or 0.0, vectors=vectors)


def _vector(sent: str | list[float]) -> list[float]:
    """Read a vector: little-endian floats in base64, or a list from servers that do not support base64."""
    if isinstance(sent, str):
        raw = base64.b64decode(sent, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return [float(number) for number in sent]
