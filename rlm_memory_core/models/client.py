"""The openai client under an `LLM`, over our transports: how it is made, and what its errors say.

What is ours sits under the client, one on another: recorded calls, second copies of
late calls, pacing, HTTP; or the offline reader. Nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import openai

from ..offline import OfflineTransport
from . import background
from .call_account import BudgetTransport, OutgoingTransport
from .call_store import CallStore, RecordingError
from .headers import NOT_RECORDED, UNUSABLE
from .hedging import Hedging
from .pacing import Pace, Pacing
from .pricing import OPENAI_URL
from .recording import Mode, RecordingTransport
from .responses import body_message, first_line
from .streaming import BROKEN_OFF, Streaming
from .transport import HttpTransport

_OFFLINE_URL = "http://offline.invalid/v1"
_MAX_RETRIES = 4
NOT_SENT = (NOT_RECORDED, UNUSABLE)
"""Refused by our own recording, as an error's code."""

Wrap = Callable[[httpx2.AsyncBaseTransport], httpx2.AsyncBaseTransport]
"""Makes a transport out of the one that asks the server, such as one that waits first."""


class AsIsClient(httpx2.AsyncClient):
    """Sends what the SDK hands over as it is: to join it with settings that are none takes a tenth of a call's time."""

    def build_request(self, method: str, url: httpx2.URL | str, *, timeout: Any = None, **given: Any) -> httpx2.Request:
        """A request with nothing added but the timeout, in seconds or as httpx has it, and a server's cookies."""
        extensions = {"timeout": httpx2.Timeout(timeout).as_dict(), **(given.pop("extensions", None) or {})}
        cookies = self.cookies if self.cookies else None
        return httpx2.Request(method, url, extensions=extensions, cookies=cookies, **given)


def make_client(
    base_url: str | None,
    api_key: str,
    recorded: Mode,
    calls_path: Path,
    *,
    offline: bool,
    timeout: float,
    wrap: Wrap | None,
    pace: Pace,
) -> openai.AsyncOpenAI:
    """A client, closed at the program's end; the arguments are those of `connect`.

    Args:
        offline: Whether the offline reader answers, in the place of a server.

    Raises:
        RecordingError: The recorded calls cannot be opened.
    """
    url = base_url or OPENAI_URL
    transport: httpx2.AsyncBaseTransport
    if offline:
        reader = OfflineTransport()
        url, transport, salt = _OFFLINE_URL, reader, reader.fingerprint
    else:
        transport, salt = HttpTransport(), ""
    if wrap is not None:
        transport = wrap(transport)
    is_reader = isinstance(transport, OfflineTransport)
    transport = OutgoingTransport(Streaming(transport))
    if not is_reader:
        transport = Hedging(Pacing(transport, pace, _MAX_RETRIES))
    transport = BudgetTransport(transport)
    if recorded != "off":
        transport = RecordingTransport(transport, CallStore(calls_path), recorded, salt)
    http_client = AsIsClient(transport=transport, timeout=timeout, follow_redirects=True)
    client = openai.AsyncOpenAI(
        api_key=api_key,
        base_url=url,
        max_retries=_MAX_RETRIES,
        timeout=timeout,
        default_headers={"Accept-Encoding": http_client.headers["Accept-Encoding"]},
        http_client=http_client,
    )
    background.on_exit(client.close)
    return client


def explain(error: Exception, *, model: str, base_url: str | None, api_key: str | None, timeout: float) -> str:
    """One line on what went wrong. Servers and proxies may repeat what they were sent: the key is taken out."""
    if isinstance(error, RecordingError):
        return str(error)
    tell = partial(first_line, secret=api_key)
    where = tell(base_url or "the OpenAI API")
    if isinstance(error, openai.AuthenticationError):
        return f"{where} refused the API key: check OPENAI_API_KEY"
    if isinstance(error, openai.APITimeoutError) and not isinstance(error.__cause__, httpx2.ConnectTimeout):
        return f"{where} did not answer within {timeout:g} s"
    if isinstance(error, openai.APIConnectionError):
        return f"cannot reach {where} ({tell(error.__cause__ or error)}): check the address and that it runs"
    if isinstance(error, openai.APIStatusError):
        if error.code in NOT_SENT:
            return body_message(error)  # our own line, and no server's
        if error.code == BROKEN_OFF:
            return f"{where} broke off in mid-reply: {tell(body_message(error))}"
        return f"{where} answered {error.status_code} for {model}: {tell(body_message(error))}"
    return f"{model} gave no usable answer: {tell(error)}"
