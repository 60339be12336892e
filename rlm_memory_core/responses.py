"""Reading what a server sent: the text of a chat completion and its tokens, or a line of error.

Servers differ, and proxies send pages of HTML: whatever is not as it should be is a
ValueError of one line. Nothing is asked here.
"""

from __future__ import annotations

import re
from typing import Any

import httpx2
import openai

from .escaping import well_formed
from .pricing import Usage


def read_completion(response: httpx2.Response) -> tuple[dict[str, Any], Usage]:
    """The message of a chat completion, with its `finish_reason`, and its tokens.

    Raises:
        ValueError: It is none.
    """
    try:
        completion = response.json()
        choice = completion["choices"][0]
        message = {**choice["message"], "finish_reason": choice.get("finish_reason")}
        usage = usage_of(completion)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"it sent no chat completion but {response.text[:80]!r}") from error
    return message, usage


def text_of(message: dict[str, Any]) -> str:
    """The text of a message as `read_completion` gives it.

    Raises:
        ValueError: It refuses, or holds none.
    """
    if message.get("refusal"):
        raise ValueError(f"it refused: {message['refusal']}")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"its answer is empty (finish reason: {message['finish_reason']})")
    return well_formed(text)  # the sandbox takes no lone surrogate


def body_message(error: openai.APIStatusError) -> str:
    """What the server says of its refusal."""
    body = error.body
    return str(body.get("message", error)) if isinstance(body, dict) else str(error)


def first_line(error: object) -> str:
    """An error on one line, cut to 200 characters."""
    return re.sub(r"\s+", " ", str(error)).strip()[:200] or type(error).__name__


def usage_of(body: dict[str, Any]) -> Usage:
    """One call and the tokens that the server counted; 0 where it counts none."""
    counted = body.get("usage") or {}
    return Usage(int(counted.get("prompt_tokens") or 0), int(counted.get("completion_tokens") or 0), 1)
