"""Reads what servers really return: texts of chat completions, vectors of embeddings, and token counts.

Servers differ. Handle a new difference in answers here, and one in what a server accepts in `adapting`. `thoughts`
separates a model's thoughts from its reply.
"""

import base64
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from more_itertools import constrained_batches

from ..store.escaping import well_formed
from .adapting import is_too_long
from .pricing import Usage
from .thoughts import split_thoughts
from .types import ContextExceeded, EmptyReply, ModelError, Reply, Request, Response, count_tokens
from .wording import one_line, server_message

# prefixes of the finish reasons of a complete answer on different servers; with any other, it was cut off
_WHOLE = tuple("stop eos eot end complete tool function_call normal finishreason.stop done finished success".split())
# the fields in which servers put text, and thoughts
_TEXTS = ("text", "value", "content", "refusal", "thinking", "reasoning", "reasoning_content", "summary", "transcript")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_MOST_SAID = 1_000_000  # characters of a reply with its thoughts; a longer one counts as cut off
_BATCH_TEXTS = 256  # OpenAI accepts 2,048 texts per request, local servers fewer
_BATCH_CHARACTERS = 200_000  # OpenAI accepts 300,000 tokens per request; a character is at most about one
NO_CHUNK = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""Raised by `read_choice` for anything other than a completion or a chunk."""


class Content(NamedTuple):
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


def is_error(sent: Mapping[str, Any]) -> bool:
    """Return whether a server sent an error instead of a completion or a chunk.

    >>> is_error({"object": "error", "message": "overloaded"}), is_error({"choices": [], "error": None})
    (True, False)
    """
    return bool(sent.get("error") or ("choices" not in sent and sent.get("message")))


def index_of(item: Mapping[str, Any], default: int = 0) -> str:
    """Return the number of a choice or a tool call as text. Some servers send none, null, or a text.

    >>> index_of({"index": 1}), index_of({"index": "1"}), index_of({"index": None}), index_of({}, 2)
    ('1', '1', '0', '2')
    """
    index = item.get("index")
    return str(default if index in (None, "") else index)


def read_choice(body: Mapping[str, Any], index: str | None = None) -> tuple[Mapping[str, Any], Content, bool]:
    """Return the first choice, its content, and whether that is a whole message rather than a piece of one.

    Args:
        body: A completion, or a chunk of one.
        index: Read only the choice with this number; None for any.

    Raises:
        LookupError, TypeError, AttributeError: It is neither.
    """
    choices = [choice for choice in body["choices"] or [] if index in (None, index_of(choice))]
    choice: Mapping[str, Any] = min(choices, key=index_of, default={})
    piece = choice.get("delta")
    said = piece or choice.get("message") or choice.get("text")
    content = Content.of(said if isinstance(said, dict) else {"content": said})
    return choice, content, not piece and bool(choice.get("message"))


def read_completion(response: Response, request: Request) -> Reply:
    """Return the text of a chat completion without thoughts, whether it was cut off, and its tokens.

    Args:
        response: What the server sent.
        request: What it was sent. Its tokens are estimated, in case the server does not count them.

    Raises:
        ModelError: The model refused, the answer was withheld, or it is not a chat completion.
        EmptyReply: It has no text.
    """
    body = response.body or {}
    if is_error(body) and is_too_long(400, response.text):
        raise ContextExceeded(server_message(response.text), Usage())
    try:
        choice, content, _ = read_choice(body)
    except NO_CHUNK as error:
        usage = Usage(request.tokens, count_tokens(response.text[:1_000]), 1, estimated=True)
        raise ModelError(f"it sent no chat completion but {one_line(response.text[:1_000])!r}", usage) from error
    usage = usage_of(body, Usage(request.tokens, count_tokens(content.text + content.thoughts)))
    if content.refusal:
        raise ModelError(f"it refused: {content.refusal}", usage)
    finish = choice.get("finish_reason")
    if finish == "content_filter":
        raise ModelError("the server's content filter withheld its answer", usage)
    said, apart = (well_formed(each[:_MOST_SAID]) for each in (content.text, content.thoughts))  # no lone surrogates
    text, thoughts = split_thoughts(said, apart)
    if not any(sign.isprintable() and sign != " " for sign in text):
        raise EmptyReply(f"its answer is empty (finish reason: {finish})", usage)
    is_whole = len(content.text) <= _MOST_SAID and str(finish or "stop").lower().startswith(_WHOLE)
    return Reply(text, usage, seconds=response.seconds, cut=not is_whole, thoughts=thoughts)


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
    return int(counted) if isinstance(counted, (int, float)) and 0 < counted < 1e12 else 0  # no infinity, no NaN


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
    for batch in constrained_batches(texts, _BATCH_CHARACTERS, _BATCH_TEXTS, strict=False):
        yield [text or " " for text in batch]


def read_embeddings(response: Response, request: Request) -> Reply:
    """Return the vectors of an embeddings answer, in the order of the texts, and the token count.

    Args:
        response: What the server sent.
        request: What it was sent. Its tokens are estimated, in case the server does not count them.

    Raises:
        ModelError: The answer is not a list of embeddings, lacks exactly one vector for each text, or has vectors of
            different lengths.
    """
    body, expected = response.body or {}, len(request.body["input"])
    try:
        rows = [(row.get("index"), _vector(row["embedding"])) for row in body["data"]]
        found = {int(place if index is None else index): vector for place, (index, vector) in enumerate(rows)}
        vectors = [found[place] for place in range(expected)]
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"it sent no embeddings but {response.text[:80]!r}", Usage(request.tokens, 0, 1)) from error
    usage = usage_of(body, Usage(request.tokens))
    if len(found) > expected or not all(vectors) or len(set(map(len, vectors))) > 1:
        raise ModelError(f"it sent no {expected} vectors of one length for {expected} texts", usage)
    return Reply("", usage, seconds=response.seconds, vectors=vectors)


def _vector(sent: str | list[float]) -> list[float]:
    """Read a vector: little-endian floats in base64, or a list from servers that do not support base64."""
    if isinstance(sent, str):
        raw = base64.b64decode(sent, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return [float(number) for number in sent]
