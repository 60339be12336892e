"""The forms in which files hold conversations and messages: those of ChatGPT, Claude, OpenAI, Anthropic and ShareGPT.

Text is kept as it is. What is not text, such as an image, leaves its name in brackets and is counted. Thoughts of a
model, and messages that the service hid from the user, are left out and counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..store.escaping import label
from .json_values import HistoryFileError

_LISTS = ("messages", "chat_messages", "conversations", "conversation", "turns")  # of messages; names in use
_IDS = ("conversation_id", "uuid", "id", "session_id")
_DATES = ("date", "timestamp", "created_at", "create_time", "ts", "time", "datetime")
_TEXTS = ("content", "text", "value", "message", "body")
_ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant"}
_SPEAKERS = ("speaker", "username", "user", "author", "sender", "from")
_THOUGHTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_content", "thoughts", "reasoning_recap")
_CONTEXTS = ("user_editable_context", "model_editable_context")  # what ChatGPT knows of its user
_CONTEXT_TEXTS = ("user_profile", "user_instructions", "model_set_context")
_PART_TEXTS = ("text", "refusal", "extracted_content", "result")
_MILLISECONDS = 100_000_000_000  # as seconds since 1970 this would be the year 5138
_SECONDS = re.compile(r"-?\d{9,}(\.\d*)?")  # seconds since 1970 as text; a shorter number may be a day: 20230520


class Message(NamedTuple):
    """A message of a file.

    Args:
        role, content, name: As for `MemoryStore.add`.
        time: When it was said, as the file gives it; a number of seconds becomes ISO 8601. None if it gives none.
        id: The file's name for it, or "".
    """

    role: str
    content: str
    name: str = ""
    time: str | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation of a file; its `messages` are as the file gives them."""

    id: str
    title: str
    date: str | None
    messages: list[Any]


def conversation_of(value: Any) -> Conversation | None:
    """The conversation that a JSON value is; None if it is none.

    Raises:
        HistoryFileError: It has no list of messages.
    """
    if isinstance(value, list):
        return Conversation("", "", None, value)
    name = next((name for name in ("mapping", *_LISTS) if isinstance(value, dict) and name in value), None)
    if name is None or (isinstance(value.get("role"), str) and name != "mapping"):
        return None
    messages = _branch(value) if isinstance(value.get("mapping"), dict) else value[name]
    if not isinstance(messages, list):
        raise HistoryFileError(f"has no list of messages{keys_of(value)}")
    channel = value.get("channel") if isinstance(value.get("channel"), dict) else {}
    ids = (str(value[name]) for name in _IDS if isinstance(value.get(name), (str, int)))
    return Conversation(next(ids, ""), title_of(value) or title_of(channel), date_of(value), messages)


def title_of(value: Any) -> str:
    """The title of a conversation, or ""."""
    titles = (value.get("title"), value.get("name")) if isinstance(value, dict) else ()
    return next((title for title in titles if isinstance(title, str)), "")


def _branch(conversation: dict[str, Any]) -> list[Any]:
    """The messages of ChatGPT's tree that were shown last, from the first one on.

    Where the file does not say which these are, they end with the newest message that none follows. A parent that is
    missing, or a circle, ends the way back.
    """
    nodes = {name: node for name, node in conversation["mapping"].items() if isinstance(node, dict)}
    name = conversation.get("current_node")
    if not isinstance(name, str) or name not in nodes:
        parents = {node.get("parent") for node in nodes.values() if isinstance(node.get("parent"), str)}
        leaves = [leaf for leaf in nodes if leaf not in parents] or list(nodes)
        name = max(leaves, key=lambda leaf: (_created(nodes[leaf]), leaves.index(leaf)), default=None)
    messages = []
    while isinstance(name, str) and name in nodes:
        node = nodes.pop(name)
        if node.get("message") is not None:
            message = node["message"]
            messages.append({"id": name, **message} if isinstance(message, dict) else message)
        name = node.get("parent")
    return messages[::-1]


def _created(node: dict[str, Any]) -> float:
    message = node.get("message")
    created = message.get("create_time") if isinstance(message, dict) else None
    return float(created) if isinstance(created, (int, float)) and created == created else 0.0


def message_of(message: Any, skipped: Counter[str]) -> Message | None:
    """Read a message.

    Args:
        message: A JSON value.
        skipped: Counts what is left out, by kind.

    Returns:
        The message; None if it says nothing that a user has seen.

    Raises:
        HistoryFileError: It is not a message.

    >>> message_of({"from": "human", "value": "Hi"}, Counter())
    Message(role='user', content='Hi', name='', time=None, id='')
    """
    if not isinstance(message, dict):
        raise HistoryFileError(f"is not a message but {label(json.dumps(message))[:60]}")
    role, name = _speaker(message)
    content = next((message[key] for key in _TEXTS if message.get(key) not in (None, "", [])), None)
    kind = content.get("content_type") if isinstance(content, dict) else None
    if kind in _CONTEXTS:
        content = [content.get(key) for key in _CONTEXT_TEXTS] if isinstance(content, dict) else content
        role, name = "system", "memory"
    elif isinstance(message.get("metadata"), dict) and message["metadata"].get("is_visually_hidden_from_conversation"):
        skipped["hidden message"] += 1
        return None
    if content is None and not any(key in message for key in (*_TEXTS, "tool_calls", "function_call", "refusal")):
        raise HistoryFileError(f"has no content{keys_of(message)}")
    text = "\n".join(filter(None, [*_texts(content, skipped), *_further(message, skipped)]))
    recipient = message.get("recipient")
    if isinstance(recipient, str) and recipient != "all" and isinstance(message.get("author"), dict) and text:
        text = f"[tool call: {recipient}({text})]"
    if not text.strip():
        skipped["empty message"] += 1
        return None
    ids = (str(message[key]) for key in ("id", "uuid") if isinstance(message.get(key), (str, int)))
    return Message(role, text, name, date_of(message), "" if kind in _CONTEXTS else next(ids, ""))


def _speaker(message: dict[str, Any]) -> tuple[str, str]:
    """The role and the name of who speaks."""
    author: dict[str, Any] = message["author"] if isinstance(message.get("author"), dict) else {}
    role = message.get("role") or author.get("role")
    if not isinstance(role, str):
        known = (message.get(key) for key in ("from", "sender"))
        role = next((who for who in known if isinstance(who, str) and who.lower() in {*_ROLES, *_ROLES.values()}), None)
    called = [message.get("name"), author.get("nickname"), author.get("name"), message.get("user_name")]
    if role is None:
        called += [message.get(key) for key in _SPEAKERS]
    name = next((name for name in called if isinstance(name, str)), "")
    if role is None and (name or author):
        role = "assistant" if author.get("isBot") or author.get("bot") else "user"
    if role is None:
        raise HistoryFileError(f"has no role{keys_of(message)}")
    return _ROLES.get(role.lower(), role), name


def _texts(content: Any, skipped: Counter[str]) -> Iterator[str]:
    """The text of a content and its parts."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _texts(part, skipped)
    elif isinstance(content, dict):
        kind = str(content.get("type") or content.get("content_type") or "part")
        text = next((content[key] for key in _PART_TEXTS if isinstance(content.get(key), str)), None)
        if kind in _THOUGHTS:
            skipped["thought"] += 1
        elif kind in ("tool_use", "server_tool_use", "function_call"):
            yield _call(content.get("name"), content.get("input", content.get("arguments", "")))
        elif kind in ("tool_result", "function_call_output"):
            yield f"[tool result: {' '.join(_texts(content.get('content', content.get('output')), skipped))}]"
        elif text is not None or "parts" in content:
            yield from _texts(content.get("parts") or text, skipped)
        else:
            skipped[kind] += 1
            yield f"[{label(kind)}]"
    elif content is not None:
        skipped[type(content).__name__] += 1
        yield f"[{type(content).__name__}]"


def _further(message: dict[str, Any], skipped: Counter[str]) -> Iterator[str]:
    """Tool calls, attached files, and a refusal."""
    for call in [*_dicts(message.get("tool_calls")), {"function": message.get("function_call")}]:
        if isinstance(function := call.get("function"), dict):
            yield _call(function.get("name"), function.get("arguments", ""))
    if isinstance(message.get("refusal"), str):
        yield message["refusal"]
    for file in [*_dicts(message.get("attachments")), *_dicts(message.get("files"))]:
        yield f"[file: {label(str(file.get('file_name') or file.get('fileName') or file.get('name')))}]"
        if isinstance(file.get("extracted_content"), str):
            yield file["extracted_content"]
        else:
            skipped["file"] += 1


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _call(name: Any, arguments: Any) -> str:
    shown = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return f"[tool call: {name}({shown})]"


def date_of(value: dict[str, Any]) -> str | None:
    """The date of a message or conversation as the file gives it, or None.

    A number is read as seconds (or milli-, micro- or nanoseconds) since 1970, and given as ISO 8601 in UTC. One that
    is no such time is given as it is.

    >>> date_of({"create_time": 1684548060}), date_of({"date": "2023/05/20"})
    ('2023-05-20T02:01:00+00:00', '2023/05/20')
    """
    for key in _DATES:
        date = value.get(key)
        if date in (None, "") or (isinstance(date, str) and not _SECONDS.fullmatch(date.strip())):
            if date and date.strip():
                return str(date.strip())
            continue
        try:
            seconds = float(date)
            for _ in range(3):  # milliseconds, microseconds, nanoseconds
                seconds = seconds / 1000 if abs(seconds) >= _MILLISECONDS else seconds
            return datetime.fromtimestamp(seconds, UTC).isoformat()
        except (ValueError, OverflowError, OSError, TypeError):
            return str(date)[:60]
    return None


def keys_of(value: dict[str, Any]) -> str:
    """List an object's keys, for an error about a missing one.

    >>> keys_of({"speaker": "me"})
    ' (its keys: speaker)'
    """
    return f" (its keys: {label(', '.join(value))[:80]})" if value else ""
