"""What went wrong with a call, in one line that is fit to be shown.

Proxies send pages of HTML, and some servers repeat the key that they refuse: markup and
secrets are taken out.
"""

from __future__ import annotations

import re

import openai

from .call_store import RecordingError
from .pricing import Usage
from .types import ConnectionFailed, Refused, StreamBroken, TimedOut

_MARKUP = re.compile(r"<(script|style|title)\b.*?</\1\s*>|<[!/?]?[a-z][^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)
_SHORTEST_KEY = 8  # a shorter one, such as "none" or "ollama", is no secret and may be part of a word
_SECRET = re.compile(r"\bsk-[\w-]{8,}|(?<=\bBearer )\S+|(?<=//)[^/@\s]+(?=@)", re.IGNORECASE)


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
        self.usage = usage or Usage(calls=1)
        self.cost_usd = cost_usd


def explain(error: Exception, model: str, base_url: str | None, api_key: str | None, timeout: float) -> str:
    """Return one line on what went wrong.

    Args:
        error: What the pipeline raised.
        model: The model that was asked.
        base_url: The server's address; None for OpenAI's.
        api_key: Taken out of the line.
        timeout: Seconds that an attempt may take.
    """
    if isinstance(error, RecordingError):
        return str(error)
    where, said = first_line(base_url or "the OpenAI API", api_key), first_line(error, api_key)
    if isinstance(error, TimedOut):
        return f"{where} did not answer within {timeout:g} s"
    if isinstance(error, ConnectionFailed):
        return f"cannot reach {where} ({said}): check the address and that it runs"
    if isinstance(error, StreamBroken):
        return f"{where} broke off {'its reply' if error.retryable else 'in mid-reply'}: {said}"
    if isinstance(error, Refused) and error.status == 401:
        return f"{where} refused the API key: check OPENAI_API_KEY"
    if isinstance(error, Refused):
        return f"{where} answered {error.status} for {model}: {said}"
    return f"{model} gave no usable answer: {said}"


def first_line(error: object, secret: str | None = None) -> str:
    """Return an error on one line of at most 200 characters, without markup and secrets.

    Args:
        error: Its text, or anything that has one.
        secret: The API key, taken out like everything that looks like one.

    >>> first_line("<html><head><title>502 Bad Gateway</title></head>\\n<body><h1>Oops</h1></body></html>")
    '502 Bad Gateway: Oops'
    """
    text = str(error)[:10_000]
    if secret and len(secret) >= _SHORTEST_KEY:
        text = text.replace(secret, "[key]")
    return one_line(_SECRET.sub("[key]", text))[:200] or type(error).__name__


def one_line(text: str) -> str:
    """Return a page's title and words, or any other text, on one line."""
    title = _TITLE.search(text)
    words = " ".join(_MARKUP.sub(" ", text).split())
    return f"{' '.join(title[1].split())}: {words}".removesuffix(": ") if title else words


def server_message(error: openai.APIStatusError) -> str:
    """Return what the server says of its refusal: OpenAI's `message`, FastAPI's `detail`, a bare text or page."""
    body = error.body
    said = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    return str(said or error)
