"""The forms in which files hold a message: OpenAI's, ChatGPT's export and ShareGPT's; its text and its date.

Nothing is dropped silently: anything else raises a `HistoryFileError`.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from ..store.escaping import label

_DATE_KEYS = ("date", "timestamp", "created_at", "create_time")
_MILLISECONDS = 100_000_000_000  # as seconds since 1970 this would be the year 5138
_SECONDS = re.compile(r"-?\d{9,}(\.\d*)?")  # seconds since 1970 as text; a shorter number may be a day: 20230520
_SHAREGPT_ROLES = {"human": "user", "gpt": "assistant"}


class HistoryFileError(Exception):
    """A file is not a history; the message says in one line what is wrong and where."""


def content_of(message: dict[str, Any], where: str) -> str:
    """Return the text of a message.

    Args:
        message: A message of OpenAI's form. Parts other than text, and tool calls, become names in brackets.
        where: The message's place in the file, for the error.

    Raises:
        HistoryFileError: The message has no content.

    >>> content_of({"content": [{"type": "text", "text": "Look:"}, {"type": "image_url"}]}, "line 1")
    'Look:\\n[image_url]'
    """
    content, calls = message.get("content"), message.get("tool_calls") or []
    if content is None and not calls:
        content = message.get("refusal")
    if isinstance(content, str):
        texts = [content]
    elif isinstance(content, list):
        texts = [_part_text(part) for part in content]
    elif content is None and calls:
        texts = []
    else:
        raise HistoryFileError(f"{where or 'its one message'} has no content{keys_of(message)}")
    functions = [call.get("function") or {} for call in calls if isinstance(call, dict)]
    texts += [f"[tool call: {function.get('name')}({function.get('arguments', '')})]" for function in functions]
    return "\n".join(texts)


def _part_text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else part
    if isinstance(text, str):
        return text
    if isinstance(part, dict):
        return f"[{part.get('type') or part.get('content_type') or 'part'}]"
    return f"[{type(part).__name__}]"


def date_of(value: dict[str, Any], where: str) -> str | None:
    """Return the date of a message or conversation as the file gives it, or None.

    Args:
        value: The message or conversation. A number is read as seconds (or milli-, micro- or nanoseconds) since 1970.
        where: Its place in the file, for the error.

    Raises:
        HistoryFileError: The date is neither text nor a time since 1970.

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
                line = f"{where or 'it'} has {str(date)[:60]} as its {name}, which is not a time since 1970"
                raise HistoryFileError(line) from error
        if date not in (None, ""):
            raise HistoryFileError(f"{where or 'it'} has {json.dumps(date)[:60]} as its {name}")
    return None


def _since_1970(seconds: float) -> str:
    for _ in range(3):  # milliseconds, microseconds, nanoseconds
        seconds = seconds / 1000 if abs(seconds) >= _MILLISECONDS else seconds
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def is_chatgpt(value: dict[str, Any]) -> bool:
    """Whether this is a conversation of ChatGPT's export, `conversations.json`."""
    return isinstance(value.get("mapping"), dict)


def from_chatgpt(conversation: dict[str, Any], where: str) -> dict[str, Any]:
    """Convert a conversation of ChatGPT's export to OpenAI's form.

    Follows the branch that ChatGPT shows, back from its current message: replaced edits and answers are left out, and
    so are messages without content.

    Args:
        conversation: The conversation, with its `mapping` of messages.
        where: Its place in the file, for the error.

    Raises:
        HistoryFileError: No branch leads from the current message to the first.

    >>> node = {"parent": None, "message": {"author": {"role": "user"}, "content": {"parts": ["Hi"]}}}
    >>> from_chatgpt({"create_time": 1684576800, "current_node": "a", "mapping": {"a": node}}, "")["messages"]
    [{'role': 'user', 'content': ['Hi'], 'create_time': None}]
    """
    nodes, messages = dict(conversation["mapping"]), []
    leaves = set(nodes) - {node.get("parent") for node in nodes.values() if isinstance(node, dict)}
    name = conversation.get("current_node") or (leaves.pop() if len(leaves) == 1 else None)
    if nodes and name is None:
        raise HistoryFileError(f"{where or 'it'} has a mapping but no current_node to say which branch was shown")
    while name is not None:
        node = nodes.pop(name, None)  # popped, so that a circle ends in the error below
        if not isinstance(node, dict):
            raise HistoryFileError(f"{where or 'it'} has no message {str(name)[:60]!r} in its mapping")
        message = node.get("message")
        if isinstance(message, dict):
            content = message.get("content")
            if isinstance(content, dict):
                content = content.get("parts") or [content.get("text")]
            if content not in (None, "", [None], [""]):
                role = (message.get("author") or {}).get("role")
                messages.append({"role": role, "content": content, "create_time": message.get("create_time")})
        name = node.get("parent")
    return {"create_time": conversation.get("create_time"), "messages": messages[::-1]}


def from_sharegpt(message: dict[str, Any]) -> dict[str, Any]:
    """Convert a message of ShareGPT's form (`from`, `value`) to OpenAI's; return any other message unchanged.

    >>> from_sharegpt({"from": "human", "value": "Hi"})["role"]
    'user'
    """
    if "role" in message or not isinstance(speaker := message.get("from"), str) or "value" not in message:
        return message
    return {**message, "role": _SHAREGPT_ROLES.get(speaker, speaker), "content": message["value"]}


def keys_of(value: dict[str, Any]) -> str:
    """List an object's keys, for an error about a missing one.

    >>> keys_of({"speaker": "me"})
    ' (its keys: speaker)'
    """
    return f" (its keys: {label(', '.join(value))[:80]})" if value else ""
