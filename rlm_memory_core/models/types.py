"""The values that pass through the pipeline, and the protocol of whoever answers.

A `Backend` answers one `Request` with one `Response`, or raises one of the errors below.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypedDict

from .pricing import Usage

BYTES_PER_TOKEN = 4  # of English prose as JSON
CHAT_PATH, EMBEDDINGS_PATH = "/chat/completions", "/embeddings"


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

    @property
    def tokens(self) -> int:
        """An estimate of the prompt's tokens."""
        return len(self.content) // BYTES_PER_TOKEN


@dataclass
class Response:
    """One answer of a server.

    Args:
        text: The body as it came.
        seconds: How long the server took; None to let the pipeline measure it.
    """

    text: str
    seconds: float | None = None

    @cached_property
    def body(self) -> dict[str, Any] | None:
        """The body as a JSON object; None where it is none."""
        try:
            value = json.loads(self.text)
        except ValueError:
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
    """

    text: str
    usage: Usage
    cost_usd: float | None
    seconds: float
    recorded: bool
    cut: bool = False


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
    """An attempt without an answer; `retryable` says whether another one may help."""

    retry_after: float | None = None

    def __init__(self, message: str, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class ConnectionFailed(BackendError):
    """The connection could not be made, or broke before the answer was whole."""


class TimedOut(BackendError):
    """The server did not answer in time. It may still bill the request."""


class StreamBroken(BackendError):
    """A streamed answer broke off, or holds something else than chunks."""


class Refused(BackendError):
    """The server answered with an error.

    Args:
        status: The HTTP status, such as 429.
        message: What the server says.
        retry_after: Seconds that the server asks to wait; None where it does not say.
        retryable: Whether another attempt may help.
    """

    def __init__(self, status: int, message: str, retry_after: float | None = None, retryable: bool = False) -> None:
        super().__init__(message, retryable)
        self.status = status
        self.retry_after = retry_after

    @property
    def is_busy(self) -> bool:
        """Whether the server has too much to do: status 429, or 503 with a time to wait."""
        return self.status == 429 or (self.status == 503 and self.retry_after is not None)
