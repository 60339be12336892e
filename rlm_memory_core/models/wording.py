"""Puts errors into words: what a server said, on one line, without markup and secrets."""

import json
import re
from contextlib import suppress

from .types import BackendError, RecordingError

_MARKUP = re.compile(r"<(script|style)\b.*?</\1\s*>|<[!/?]?[a-z][^>]*>", re.DOTALL | re.IGNORECASE)
_SHORTEST_KEY = 8  # a shorter one, such as "none" or "ollama", is not a secret and may be part of a word
_SECRET = re.compile(r"\bsk-[\w-]{8,}|(?<=\bBearer )\S+|(?<=\bBasic )\S+|(?<=//)[^/\s]+(?=@)", re.IGNORECASE)
_MESSAGES = ("error", "message", "detail", "msg", "errors", "title")  # where errors say what is wrong


def explain(error: Exception, model: str, base_url: str | None, api_key: str | None, timeout: float) -> str:
    """Return one line that says what went wrong.

    Args:
        error: What the pipeline raised.
        model: The model that was asked.
        base_url: The server's address; None for OpenAI's.
        api_key: A key to remove from the line.
        timeout: Seconds that an attempt may take.
    """
    if isinstance(error, RecordingError):
        return str(error)
    words = error.words if isinstance(error, BackendError) else BackendError.words
    where, said = first_line(base_url or "the OpenAI API", api_key), first_line(error, api_key)
    return words.format(where=where, said=said, model=model, timeout=timeout)


def first_line(error: object, secret: str | None = None) -> str:
    """Return an error on one line of at most 200 characters, without markup and secrets.

    Args:
        error: The error, or its text.
        secret: The API key to remove. Anything else that looks like a key is removed too.

    >>> first_line("<html><head><title>502 Bad Gateway</title></head>\\n<body><h1>Oops</h1></body></html>")
    '502 Bad Gateway Oops'
    """
    text = without_key(str(error), secret)[:10_000]
    return one_line(_SECRET.sub("[key]", text))[:200] or type(error).__name__


def without_key(text: str, *keys: str | None) -> str:
    """Replace API keys in a text. JSON may escape characters of a key, so such JSON is serialised again first."""
    for key in keys:
        if key and len(key) >= _SHORTEST_KEY:
            if "\\/" in text or "\\u00" in text:
                with suppress(ValueError, RecursionError):
                    text = json.dumps(json.loads(text))
            text = text.replace(key, "[key]").replace(json.dumps(key)[1:-1], "[key]")
    return text


def one_line(text: str) -> str:
    """Return a text on one line, without HTML tags, scripts and styles."""
    return " ".join(_MARKUP.sub(" ", text).split())


def server_message(text: str) -> str:
    """Return the message of a server's error, whether it comes in one of the usual JSON formats or as plain text.

    >>> server_message('{"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted"}]}')
    'extra fields not permitted'
    """
    try:
        value = json.loads(text)
        while isinstance(value, (dict, list)):
            if isinstance(value, dict):
                value = [value[name] for name in _MESSAGES if isinstance(value.get(name), (str, dict, list))]
            value = value[0]
    except (ValueError, IndexError, RecursionError):
        return text
    return str(value)
