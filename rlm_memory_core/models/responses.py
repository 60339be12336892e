"""Reading what a server sent: the text of a chat completion and its tokens, or a line of error.

Servers differ, proxies send pages of HTML, and some repeat the key that they refuse:
whatever is not as it should be is a ValueError of one line, fit to be shown. Nothing is
asked here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx2
import openai

from ..store.escaping import well_formed
from .pricing import Usage

_MARKUP = re.compile(r"<(script|style|title)\b.*?</\1\s*>|<[!/?]?[a-z][^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)
_DUMMY = 8  # a shorter key is a local server's, such as "none" or "ollama": no secret, and may be part of a word
_SECRET = re.compile(r"\bsk-[\w-]{8,}|(?<=\bBearer )\S+|(?<=//)[^/@\s]+(?=@)", re.IGNORECASE)


class UnusableAnswer(ValueError):
    """An answer with nothing to use, which was paid for all the same.

    Args:
        message: One line that says what is wrong with it.
        usage: What the server counted for it.
    """

    def __init__(self, message: str, usage: Usage) -> None:
        super().__init__(message)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Said:
    """The text of a chat completion.

    Args:
        text: Never empty.
        cut: Whether it ends where the model's token limit did.
    """

    text: str
    cut: bool


def read_completion(response: httpx2.Response) -> tuple[Said, Usage]:
    """The text of a chat completion, and its tokens.

    Raises:
        UnusableAnswer: It refuses, was withheld, or holds no text.
        ValueError: It is no chat completion.
    """
    try:
        completion = response.json()
        choices = completion["choices"]
        usage = usage_of(completion)
        if choices == []:
            raise UnusableAnswer("its answer has no choices", usage)
        message, finish = choices[0]["message"], choices[0].get("finish_reason")
        text, refusal = message.get("content"), message.get("refusal")
    except UnusableAnswer:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"it sent no chat completion but {_plain(response.text[:1_000])!r}") from error
    if refusal:
        raise UnusableAnswer(f"it refused: {refusal}", usage)
    if finish == "content_filter":
        raise UnusableAnswer("the server's content filter withheld its answer", usage)
    if not isinstance(text, str) or not text.strip():
        raise UnusableAnswer(f"its answer is empty (finish reason: {finish})", usage)
    return Said(well_formed(text), cut=finish == "length"), usage  # the sandbox takes no lone surrogate


def body_message(error: openai.APIStatusError) -> str:
    """What the server says of its refusal: OpenAI's `message`, FastAPI's `detail`, a bare text or page."""
    body = error.body
    said = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    return str(said or error)


def first_line(error: object, secret: str | None = None) -> str:
    """An error on one line, without markup and secrets, cut to 200 characters.

    Args:
        error: Its text, or anything that has one.
        secret: The API key, which is taken out wherever it stands; what looks like one is taken out as well.

    >>> first_line("<html><head><title>502 Bad Gateway</title></head>\\n<body><h1>Oops</h1></body></html>")
    '502 Bad Gateway: Oops'
    """
    text = str(error)[:10_000]
    if secret and len(secret) >= _DUMMY:
        text = text.replace(secret, "[key]")
    return _plain(_SECRET.sub("[key]", text))[:200] or type(error).__name__


def usage_of(body: dict[str, Any]) -> Usage:
    """One call and the tokens that the server counted; 0 where it counts none."""
    counted = body.get("usage") or {}
    return Usage(int(counted.get("prompt_tokens") or 0), int(counted.get("completion_tokens") or 0), 1)


def _plain(text: str) -> str:
    """A page's title and words, or the text as it is; on one line."""
    title = _TITLE.search(text)
    words = " ".join(_MARKUP.sub(" ", text).split())
    return f"{' '.join(title[1].split())}: {words}".removesuffix(": ") if title else words
