"""What a message or a conversation of a history file says, and when, as text; or why that cannot be told."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from ..store.escaping import label
from .json_values import HistoryFileError

_DATE_KEYS = ("date", "timestamp", "created_at", "create_time")
_MILLISECONDS = 100_000_000_000  # a larger number of seconds would be in the year 5138
_SECONDS = re.compile(r"-?\d{9,}(\.\d*)?")  # since 1970, as text; a shorter one may be a day, such as 20230520


def content_of(message: dict[str, Any], where: str) -> str:
    """What a message says, as text.

    Args:
        message: Of OpenAI's form; parts that are no text, and calls of tools, are named in brackets.
        where: The place it is at, for the error.

    Raises:
        HistoryFileError: It has no content.

    >>> content_of({"content": [{"type": "text", "text": "Look:"}, {"type": "image_url"}]}, "line 1")
    'Look:\\n[image_url]'
    """
    content, calls = message.get("content"), message.get("tool_calls") or []
    if content is None and not calls:
        content = message.get("refusal")
    if isinstance(content, str):
        said = [content]
    elif isinstance(content, list):
        said = [_part(part) for part in content]
    elif content is None and calls:
        said = []
    else:
        raise HistoryFileError(f"{where or 'its one message'} has no content{keys_of(message)}")
    functions = [call.get("function") or {} for call in calls if isinstance(call, dict)]
    said += [f"[tool call: {function.get('name')}({function.get('arguments', '')})]" for function in functions]
    return "\n".join(said)


def _part(part: Any) -> str:
    """A part of a content: its text, or what it is instead."""
    text = part.get("text") if isinstance(part, dict) else part
    if isinstance(text, str):
        return text
    if isinstance(part, dict):
        return f"[{part.get('type') or part.get('content_type') or 'part'}]"
    return f"[{type(part).__name__}]"


def date_of(value: dict[str, Any], where: str) -> str | None:
    """The date of a message or conversation, as it stands there; None where it has none.

    Args:
        value: The message or the conversation; seconds since 1970, or thousandths of them, become a day and a time.
        where: The place it is at, for the error.

    Raises:
        HistoryFileError: It is neither a text nor a time since 1970.

    >>> date_of({"create_time": 1684548060}, "line 1")
    '2023-05-20 02:01'
    """
    for name in _DATE_KEYS:
        date = value.get(name)
        if isinstance(date, str) and date.strip():
            if not _SECONDS.fullmatch(date.strip()):
                return date.strip()
            date = float(date)
        if isinstance(date, (int, float)) and not isinstance(date, bool):
            try:
                return _since_1970(date)
            except (ValueError, OverflowError, OSError) as error:
                line = f"{where or 'it'} has {str(date)[:60]} for its {name}, which is no time since 1970"
                raise HistoryFileError(line) from error
        if date not in (None, ""):
            raise HistoryFileError(f"{where or 'it'} has {json.dumps(date)[:60]} for its {name}")
    return None


def _since_1970(seconds: float) -> str:
    for _ in range(3):  # milli-, micro- and nanoseconds
        seconds = seconds / 1000 if abs(seconds) >= _MILLISECONDS else seconds
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def keys_of(value: dict[str, Any]) -> str:
    """What there is instead of what was looked for, for an error.

    >>> keys_of({"speaker": "me"})
    ' (its keys: speaker)'
    """
    return f" (its keys: {label(', '.join(value))[:80]})" if value else ""


def within(where: str, place: str) -> str:
    """A place within another, for an error.

    >>> within("line 3", "message 2"), within("", "message 2")
    ('line 3, message 2', 'message 2')
    """
    return f"{where}, {place}" if where else place
