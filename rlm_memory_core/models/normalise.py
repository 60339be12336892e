"""Reads what servers really return: texts of chat completions, vectors of embeddings, and token counts.

Servers differ. Handle a new difference in answers here, and one in what a server accepts in `adapting`.

Some servers leave a model's thoughts in the text, such as `<think>Hm.</think>Hello!`. A thought begins with a tag at
the start of a line and outside code, and ends with its closing tag. At the start of a reply, the closing tag may be
missing because the model was cut off. The opening tag may be missing because it is in the server's prompt template. Any
other tag is part of the reply.
"""

import base64
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..store.batching import batched
from ..store.escaping import well_formed
from .adapting import is_too_long, sendable, server_message
from .pricing import Usage
from .types import ContextExceeded, EmptyReply, ModelError, Reply, Response, count_tokens, one_line

# prefixes of the finish reasons of a complete answer on different servers; with any other, it was cut off
_WHOLE = ("stop", "eos", "eot", "end", "complete", "tool", "function_call", "normal", "finishreason.stop")
# the fields in which servers put text, and thoughts
_TEXTS = ("text", "value", "content", "refusal", "thinking", "reasoning", "reasoning_content", "summary", "transcript")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_MOST_SAID = 1_000_000  # characters of a reply; a longer one counts as cut off
_BATCH_TEXTS = 256  # OpenAI accepts 2,048 texts per request, local servers fewer
_BATCH_CHARACTERS = 200_000  # OpenAI accepts 300,000 tokens per request; a character is at most about one
_TOO_MANY = 1e12  # tokens; the comparison also excludes infinity and NaN
# groups: the closing mark and the name of each kind of tag; ignoring case only in the names keeps the search fast
_TOKEN = re.compile(
    r"[<◁]\|?(/|(?i:end_(?:of_)?))?(?i:(?:seed:|ant|start_|begin_of_)?(think(?:ing)?|thoughts?|reason(?:ing)?))"
    r"(?:\s[^<>\n]{0,40})?\|?[>▷]|\[(/?)((?i:THINK))\]"
    r"|(?:<\|start\|>\w+)?<\|channel\|>(?:(final)|analysis|commentary)<\|message\|>|<\|channel>thought|(<channel\|>)"
    r"|<\|\w+\|>|```+|~~~+"
)
_UNFINISHED = re.compile(  # a piece may end with half a tag
    r"(?:[<◁](?:[|/\w:]+(?:\s[^<>\n]{0,40})?\|?)?|<\|(?:start|channel)(?:(?!message\|>)[|\w<>]){0,70}"
    r"|\[[/a-zA-Z]*|`+|~+)\Z"
)
_LONGEST = 80  # characters of a tag
_QUOTES = ("`", "'", '"', "“", "‘", "«")


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
        content = message.get("content")
        apart = next(filter(None, map(message.get, _THOUGHTS)), "")
        said, thoughts, refusals = list[Any](), [apart], [message.get("refusal")]
        for part in content if isinstance(content, list) else [content]:
            fields = part if isinstance(part, dict) else {}
            kind = str(fields.get("type"))
            is_thought = "think" in kind or "reason" in kind or any(map(fields.get, ("thought", *_THOUGHTS)))
            (refusals if "refusal" in (kind, *fields) else thoughts if is_thought else said).append(part)
        return cls(_text(said), _text(thoughts), _text(refusals))


def _text(value: Any) -> str:
    """Return a text, or the texts that lists and objects hold under the usual names; "" for anything else."""
    if isinstance(value, list):
        return "".join(map(_text, value))
    if isinstance(value, dict):
        return next(filter(None, (_text(value.get(name)) for name in _TEXTS)), "")
    return value if isinstance(value, str) else ""


def read_completion(response: Response, prompt_tokens: int = 0) -> Reply:
    """Return the text of a chat completion without thoughts, whether it was cut off, and its tokens.

    Args:
        response: What the server sent.
        prompt_tokens: An estimate, in case the server does not count tokens.

    Raises:
        ModelError: The model refused, the answer was withheld, or it is not a chat completion.
        EmptyReply: It has no text.
    """
    body = response.body
    if body and body.get("error") and is_too_long(400, response.text):
        raise ContextExceeded(server_message(response.text), Usage())
    try:
        if body is None or not isinstance(choices := body["choices"], list):
            raise TypeError("no choices")
        if not choices:
            raise EmptyReply("its answer has no choices", usage_of(body, Usage(prompt_tokens)))
        finish, content = choices[0].get("finish_reason"), Content.of(choices[0]["message"] or {})
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"it sent no chat completion but {one_line(response.text[:1_000])!r}") from error
    usage = usage_of(body, Usage(prompt_tokens, count_tokens(content.text + content.thoughts)))
    if content.refusal:
        raise ModelError(f"it refused: {content.refusal}", usage)
    if finish == "content_filter":
        raise ModelError("the server's content filter withheld its answer", usage)
    text, thoughts = split_thoughts(well_formed(content.text))  # the sandbox rejects lone surrogates
    if not text.strip():
        raise EmptyReply(f"its answer is empty (finish reason: {finish})", usage)
    is_cut = bool(finish) and not str(finish).lower().startswith(_WHOLE)
    said = text[:_MOST_SAID]
    return Reply(said, usage, cut=is_cut or said != text, thoughts=well_formed(content.thoughts) or thoughts)


def usage_of(body: dict[str, Any], estimate: Usage = Usage()) -> Usage:  # noqa: B008  # immutable
    """Return the usage of one call, with the tokens as counted by the server.

    Args:
        body: The answer.
        estimate: Used if the server does not count tokens, or if its count is invalid.

    >>> usage_of({"usage": {"prompt_tokens": 10, "completion_tokens": -5}}, Usage(9, 3))
    Usage(prompt_tokens=10, completion_tokens=3, calls=1)
    """
    counted = body.get("usage")
    counted = counted if isinstance(counted, dict) else {}
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


def read_embeddings(response: Response, prompt_tokens: int = 0, *, expected: int) -> Reply:
    """Return the vectors of an embeddings answer, in the order of the texts, and the token count.

    Args:
        response: What the server sent.
        prompt_tokens: An estimate, in case the server does not count tokens.
        expected: The number of texts that were sent.

    Raises:
        ModelError: The answer is not a list of embeddings, lacks exactly one vector for each text, or has vectors of
            different lengths.
    """
    try:
        body = response.body or {}
        rows = [(row.get("index"), _vector(row["embedding"])) for row in body["data"]]
        found = {int(place if index is None else index): vector for place, (index, vector) in enumerate(rows)}
        usage = usage_of(body, Usage(prompt_tokens))
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"it sent no embeddings but {response.text[:80]!r}") from error
    vectors = [found[place] for place in sorted(found)]
    if sorted(found) != list(range(expected)) or not all(vectors) or len(set(map(len, vectors))) > 1:
        raise ModelError(f"it sent no {expected} vectors of one length for {expected} texts")
    return Reply("", usage, vectors=vectors)


def _vector(sent: str | list[float]) -> list[float]:
    """Read a vector: little-endian floats in base64, or a list from servers that do not support base64."""
    if isinstance(sent, str):
        raw = base64.b64decode(sent, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return [float(number) for number in sent]


class ThoughtSplitter:
    r"""Separates text and thoughts in a reply that arrives in pieces, in linear time. `thoughts` holds those so far.

    >>> splitter = ThoughtSplitter()
    >>> [splitter.feed(piece) for piece in ("<thi", "nk>Hm.</think>", "\n\nHel", "lo!")], splitter.thoughts
    (['', '', 'Hel', 'lo!'], ['Hm.'])
    """

    def __init__(self) -> None:
        self.thoughts: list[str] = []
        self._open: re.Match[str] | None = None  # the tag that opened the current thought
        self._thought: list[str] = []  # the current thought's text so far
        self._kept = ""  # half a tag, to be continued
        self._blanks: list[str] = []  # before the first word
        self._line_is_blank, self._last = True, ""  # about the text so far: its last line and character
        self._has_said = self._in_code = self._names_tags = False

    def feed(self, piece: str, is_last: bool = False) -> str:
        """Take a piece and return its text without thoughts. Keep back an end that may be the start of a tag."""
        text = self._kept + piece
        unfinished = None if is_last else _UNFINISHED.search(text, max(len(text) - _LONGEST, 0))
        end = unfinished.start() if unfinished else len(text)
        parts: list[str] = []  # of the text
        at = 0
        for token in _TOKEN.finditer(text, 0, end):
            self._read(text[at : token.start()], parts)
            self._read_token(token, parts)
            at = token.end()
        self._read(text[at:end], parts)
        said, self._kept = "".join(parts), text[end:]
        if is_last and self._open:
            thought = "".join(self._thought)
            if self._has_said or said.strip():
                said += self._open[0] + thought  # the tag was only mentioned
            else:
                self.thoughts.append(thought.strip())
        if not self._has_said:
            self._blanks.append(said)
            self._has_said = is_last or bool(said.strip())
            said = "".join(self._blanks) if self._has_said else ""
            said = said.lstrip() if self.thoughts else said
        return said

    def _read(self, text: str, parts: list[str]) -> None:
        (self._thought if self._open else parts).append(text)
        _, newline, line = text.rpartition("\n")
        self._line_is_blank = bool(self._line_is_blank or newline) and not line.strip()
        self._last = text[-1:] or self._last

    def _read_token(self, token: re.Match[str], parts: list[str]) -> None:
        name, closes = _name(token), any(token.group(1, 3, 5, 6))
        if token[0].startswith("<|") and not name:
            if self._open or not self.thoughts:  # special tokens around the text have no meaning
                self._read(token[0], parts)
            return
        if not name and self._line_is_blank and not self._open:
            self._in_code = not self._in_code
        if self._open and closes and name == _name(self._open):
            self.thoughts.append("".join(self._thought).strip())
            self._open, self._thought, self._line_is_blank = None, [], True
        elif self._open or not name or self._in_code or self._last in _QUOTES:
            self._read(token[0], parts)
        elif closes and not self._names_tags:  # everything before it was a thought
            self.thoughts.append("".join(parts).strip())
            parts.clear()
            self._line_is_blank = True
        elif not closes and self._line_is_blank:
            self._open = token
        else:
            self._names_tags = True
            self._read(token[0], parts)


def split_thoughts(text: str) -> tuple[str, str]:
    r"""Return a whole reply without its thoughts, and the thoughts.

    >>> split_thoughts("Hm. </think>Use `<think>`."), split_thoughts("It begins with <think> and ends.")
    (('Use `<think>`.', 'Hm.'), ('It begins with <think> and ends.', ''))
    """
    splitter = ThoughtSplitter()
    return splitter.feed(text, is_last=True), "\n\n".join(filter(None, splitter.thoughts))


def _name(token: re.Match[str]) -> str:
    """Return the start of a tag's name, because some models close <think> with </thinking>; "" for other tokens."""
    return (token[2] or token[4] or "channel" * ("channel" in token[0]))[:5].lower()
