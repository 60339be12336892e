"""The values and errors that pass through the pipeline, and the protocol of whoever answers.

A `Backend` answers one `Request` with one `Response`, or raises a `BackendError`. The
caller of a model sees a `Reply` or a `ModelError`, whose one line is fit to be shown.
Proxies send pages of HTML, and some servers repeat the key that they refuse: markup and
secrets are taken out.
"""

import json
import math
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypedDict
from urllib.parse import unquote, urlsplit

from .pricing import Usage

CHAT_PATH, EMBEDDINGS_PATH = "/chat/completions", "/embeddings"

UNKNOWN = "I don't know"
"""The answer if the history does not contain one (abstention, paper Section 3.2)."""

_MARKUP = re.compile(r"<(script|style|title)\b.*?</\1\s*>|<[!/?]?[a-z][^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)
_SHORTEST_KEY = 8  # a shorter one, such as "none" or "ollama", is no secret and may be part of a word
_SECRET = re.compile(r"\bsk-[\w-]{8,}|(?<=\bBearer )\S+|(?<=\bBasic )\S+|(?<=//)[^/\s]+(?=@)", re.IGNORECASE)


class ChatMessage(TypedDict):
    """One chat message, in the form of the chat-completions protocol."""

    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """One request to a server.

    Args:
        path: What follows the server's address, such as "/chat/completions".
        body: The JSON object to send.

    >>> Request("/embeddings", {"model": "m", "input": ["a"]}).content
    b'{"input":["a"],"model":"m"}'
    """

    path: str
    body: Mapping[str, Any]

    @cached_property
    def content(self) -> bytes:
        """The body as JSON with sorted keys, so that equal bodies have equal bytes."""
        return json.dumps(self.body, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

    @cached_property
    def tokens(self) -> int:
        """An estimate of the prompt's tokens."""
        return count_tokens(self.content.decode())


@dataclass
class Response:
    """One answer of a server.

    Args:
        text: The body as it came.
        seconds: How long the server took; None to let `pacing` measure it.
    """

    text: str
    seconds: float | None = None

    @cached_property
    def body(self) -> dict[str, Any] | None:
        """The body as a JSON object; None where it is none."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a model.

    Args:
        text: What the model said.
        usage: Tokens as the server counted them, and the number of calls, usually 1.
        cost_usd: Dollars that the call costs, also when it was replayed; None where the price is not known.
        seconds: How long the server took, also when the call was replayed.
        recorded: Whether the call was replayed, and so free.
        cut: Whether the text was cut off, usually by the model's token limit.
        thoughts: What the model thought before it spoke, where the server shows it. It is no part of the text.
        vectors: Those of an embeddings call, one for each text; `LLM.embed` returns them.
    """

    text: str
    usage: Usage
    cost_usd: float | None = None
    seconds: float = 0.0
    recorded: bool = False
    cut: bool = False
    thoughts: str = ""
    vectors: list[list[float]] = field(default_factory=list, repr=False)


class ModelError(Exception):
    """A model could not be asked, or gave no usable answer; one line says what is wrong and what to do.

    Args:
        message: That line.
        usage: What the call took all the same.
        cost_usd: Its dollars; None where the price is not known.

    `said` is what was heard of a streamed reply that broke off; "" for any other.
    """

    said = ""

    def __init__(self, message: str, usage: Usage | None = None, cost_usd: float | None = 0.0) -> None:
        super().__init__(message)
        self.usage, self.cost_usd = usage or Usage(calls=1), cost_usd


class EmptyReply(ModelError):
    """The model said nothing: its reply is empty, holds only thoughts, or only calls tools."""


class ContextExceeded(ModelError):
    """The messages are longer than the model's context window; shorter ones may be answered."""


class Backend(Protocol):
    """Whoever answers requests: a server, the offline reader, or a fake in a test."""

    async def send(self, request: Request) -> Response:
        """Make one attempt and return the whole answer.

        Raises:
            BackendError: There is no answer.
        """

    def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Make one attempt and yield the data of each server-sent event: the JSON of a chunk, or "[DONE]".

        A server that does not stream yields its whole answer as one event.

        Raises:
            BackendError: There is no answer, or it broke off.
        """


class BackendError(Exception):
    """An attempt without an answer; `retryable` says whether another one may help, `becomes` what the caller sees."""

    becomes: type[ModelError] = ModelError
    is_busy = False

    def __init__(self, message: str, retryable: bool = True, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable, self.retry_after = retryable, retry_after


class ConnectionFailed(BackendError):
    """The connection could not be made, or broke before the answer was whole."""


class TimedOut(BackendError):
    """The server did not answer in time. It may still bill the request."""


class StreamBroken(BackendError):
    """A streamed answer broke off, or holds something else than chunks."""


class Refused(BackendError):
    """The server answered with an error; it is busy where it says 429, or 503 with a time to wait.

    Args:
        status: The HTTP status, such as 429.
        message: What the server says.
        retry_after: Seconds that the server asks to wait; None where it does not say.
        retryable: Whether another attempt may help.
    """

    def __init__(self, status: int, message: str, retry_after: float | None = None, retryable: bool = False) -> None:
        super().__init__(message, retryable, retry_after)
        self.status, self.is_busy = status, status == 429 or (status == 503 and retry_after is not None)


class RecordingError(ModelError):
    """A file of recorded calls cannot be used; the message says why and what to do."""


def count_tokens(text: str) -> int:
    """Estimate a text's tokens: a quarter for each ASCII character, and about one for a Chinese character.

    >>> count_tokens("Who is my cat?"), count_tokens("我的猫叫什么名字？")
    (4, 9)
    """
    further_bytes = len(text.encode("utf-8", "surrogatepass")) - len(text)  # in UTF-8; none for ASCII
    return -(-(2 * len(text) + 3 * further_bytes) // 8)


def check_number(name: str, number: object, least: float = 0) -> None:
    """Check that a setting is a number, or None.

    Raises:
        ValueError: It is text, below the least, infinite or not a number.
    """
    if number is not None and not (isinstance(number, (int, float)) and least <= number < math.inf):
        raise ValueError(f"{name} must be a number from {least:g} up, or None, not {number!r}")


def explain(error: Exception, model: str, base_url: str | None, api_key: str | None, timeout: float) -> str:
    """Return one line on what went wrong.

    Args:
        error: What the pipeline raised.
        model: The model that was asked.
        base_url: The server's address; None for OpenAI's.
        api_key: Taken out of the line.
        timeout: Seconds that an attempt may take.
    """
    where, said = first_line(base_url or "the OpenAI API", api_key), first_line(error, api_key)
    if isinstance(error, RecordingError):
        return str(error)
    if isinstance(error, TimedOut):
        return f"{where} did not answer within {timeout:g} s"
    if isinstance(error, ConnectionFailed):
        return f"cannot reach {where} ({said}); check the address, and whether the server runs"
    if isinstance(error, StreamBroken):
        return f"{where} broke off {'its reply' if error.retryable else 'in mid-reply'}: {said}"
    if isinstance(error, Refused):
        answered = f"{where} answered {error.status} for {model}: {said}"
        return answered if error.status != 401 else f"{where} refused the API key: check OPENAI_API_KEY"
    return f"{model} gave no usable answer: {said}"


def first_line(error: object, secret: str | None = None) -> str:
    """Return an error on one line of at most 200 characters, without markup and secrets.

    Args:
        error: Its text, or anything that has one.
        secret: The API key, taken out like everything that looks like one.

    >>> first_line("<html><head><title>502 Bad Gateway</title></head>\\n<body><h1>Oops</h1></body></html>")
    '502 Bad Gateway: Oops'
    """
    text = without_key(str(error), secret)[:10_000]
    return one_line(_SECRET.sub("[key]", text))[:200] or type(error).__name__


def secret_of(base_url: str) -> str:
    """Return the password in an address, or its user where there is none; it is sent in the place of a key.

    >>> secret_of("http://ada:pass%20word@localhost/v1"), secret_of("http://localhost/v1")
    ('pass word', '')
    """
    return unquote(urlsplit(base_url).netloc.rpartition("@")[0].rpartition(":")[2])


def without_key(text: str, key: str | None) -> str:
    """Replace an API key in a text. JSON may write plain signs of it in another way: then it is written anew."""
    if not key or len(key) < _SHORTEST_KEY:
        return text
    if "\\/" in text or "\\u00" in text:
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text))
    return text.replace(key, "[key]").replace(json.dumps(key)[1:-1], "[key]")


def one_line(text: str) -> str:
    """Return a page's title and words, or any other text, on one line."""
    title = _TITLE.search(text)
    words = " ".join(_MARKUP.sub(" ", text).split())
    return f"{' '.join(title[1].split())}: {words}".removesuffix(": ") if title else words
