"""The values and errors that pass through the pipeline, and the `Backend` protocol.

A `Backend` answers one `Request` with one `Response`, or raises a `BackendError`. The caller of a model sees a `Reply`
or a `ModelError`. A `ModelError` has a one-line message that is safe to show: markup and secrets are removed, because
proxies send HTML pages and some servers repeat the key that they refuse.
"""

import json
import math
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypedDict

from ..store.escaping import well_formed
from .pricing import Usage

CHAT_PATH, EMBEDDINGS_PATH = "/chat/completions", "/embeddings"

_NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")  # as JSON writes it

UNKNOWN = "I don't know"
"""The answer when the history does not contain one (abstention, paper Section 3.2)."""


class ChatMessage(TypedDict):
    """One chat message, as in the chat-completions protocol."""

    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """One request to a server.

    Args:
        path: The path after the server's address, such as "/chat/completions".
        body: The JSON object to send.

    >>> Request("/embeddings", {"model": "m", "input": ["a"]}).content
    b'{"input":["a"],"model":"m"}'
    """

    path: str
    body: Mapping[str, Any]

    @cached_property
    def content(self) -> bytes:
        """The body as JSON with sorted keys, so that equal bodies have equal bytes.

        Characters that servers cannot read (NUL and lone surrogates) are replaced.

        >>> Request("", {"model": "a\\x00b"}).content.decode()
        '{"model":"a\ufffdb"}'
        """
        text = json.dumps(self.body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        if "\\u0000" in text:
            text = _NUL.sub("\\1\ufffd", text)
        return well_formed(text).encode()

    @cached_property
    def tokens(self) -> int:
        """An estimate of the prompt's tokens."""
        return count_tokens(self.content.decode())


@dataclass
class Response:
    """One answer from a server.

    Args:
        text: The body as received.
        seconds: How long the server took; 0 to let `pacing` measure it.
    """

    text: str
    seconds: float = 0.0

    @cached_property
    def body(self) -> dict[str, Any] | None:
        """The body as a JSON object, or None if it is not one."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer from a model.

    Args:
        text: What the model said.
        usage: Tokens as counted by the server, and the number of calls, usually 1.
        cost_usd: The price of the call in dollars, even if it was replayed; None if the price is unknown.
        seconds: How long the server took, even if the call was replayed.
        recorded: Whether the call was replayed, and therefore free.
        cut: Whether the text was cut off, usually by the model's token limit.
        thoughts: The model's reasoning, if the server shows it. It is not part of the text.
        vectors: The vectors of an embeddings call, one for each text; `LLM.embed` returns them.
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
    """A model could not be asked, or gave no usable answer.

    Args:
        message: One line that says what is wrong and what to do.
        usage: What the failed call used.
        cost_usd: What it cost in dollars; None if the price is unknown.

    `said` is the part of a streamed reply that arrived before it broke off, or "".
    """

    said = ""

    def __init__(self, message: str, usage: Usage | None = None, cost_usd: float | None = 0.0) -> None:
        super().__init__(message)
        self.usage, self.cost_usd = usage or Usage(calls=1), cost_usd


class EmptyReply(ModelError):
    """The model said nothing: its reply is empty, holds only thoughts, or only calls tools."""


class ContextExceeded(ModelError):
    """The messages are longer than the model's context window. Shorter ones may work."""


class Backend(Protocol):
    """Answers requests: a server, the offline reader, or a fake in a test."""

    async def send(self, request: Request) -> Response:
        """Make one attempt and return the whole answer.

        Raises:
            BackendError: There is no answer.
        """

    def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Make one attempt and yield the data of each server-sent event: the JSON of a chunk, or "[DONE]".

        If the server does not stream, the whole answer is one event.

        Raises:
            BackendError: There is no answer, or it broke off.
        """


class BackendError(Exception):
    """An attempt got no answer.

    `retryable` tells whether another attempt may help. `becomes` is the exception that the caller sees, with
    `words` as its message; see `wording.explain`.
    """

    becomes: type[ModelError] = ModelError
    is_busy = False
    words = "{model} gave no usable answer: {said}"

    def __init__(self, message: str, retryable: bool = True, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable, self.retry_after = retryable, retry_after


class ConnectionFailed(BackendError):
    """The connection could not be opened, or broke before the answer was complete."""

    words = "cannot reach {where} ({said}); check the address, and whether the server runs"


class TimedOut(BackendError):
    """The server did not answer in time. It may still bill the request."""

    words = "{where} did not answer within {timeout:g} s"


class StreamBroken(BackendError):
    """A streamed answer broke off, or contains something other than chunks."""

    words = "{where} broke off its reply: {said}"


class Refused(BackendError):
    """The server answered with an error. Status 429, or 503 with a time to wait, means that it is busy.

    Args:
        status: The HTTP status, such as 429.
        message: The server's message.
        retry_after: Seconds that the server asks us to wait; None if it does not say.
        retryable: Whether another attempt may help.
    """

    def __init__(self, status: int, message: str, retry_after: float | None = None, retryable: bool = False) -> None:
        super().__init__(message, retryable, retry_after)
        self.status, self.is_busy = status, status == 429 or (status == 503 and retry_after is not None)
        self.words = f"{{where}} answered {status} for {{model}}: {{said}}"
        if status == 401:
            self.words = "{where} refused the API key: check OPENAI_API_KEY"


class RecordingError(ModelError):
    """A file of recorded calls cannot be used. The message says why and what to do."""


def count_tokens(text: str) -> int:
    """Estimate the number of tokens in a text: a quarter for an ASCII character, about one for a Chinese character.

    >>> count_tokens("Who is my cat?"), count_tokens("我的猫叫什么名字？")
    (4, 9)
    """
    further_bytes = len(text.encode("utf-8", "surrogatepass")) - len(text)  # in UTF-8; 0 for ASCII
    return -(-(2 * len(text) + 3 * further_bytes) // 8)


def paid_before(error: BaseException) -> tuple[Usage, float | None]:
    """Return the tokens and dollars that calls took before an error or a cancellation ended them."""
    return getattr(error, "usage", Usage()), getattr(error, "cost_usd", 0.0)


def check_number(name: str, number: object, least: float = 0) -> None:
    """Check that a setting is None or a finite number of at least `least`.

    Raises:
        ValueError: It is not, for example text, infinity or NaN.
    """
    if number is not None and not (isinstance(number, (int, float)) and least <= number < math.inf):
        raise ValueError(f"{name} must be a number from {least:g} up, or None, not {number!r}")
