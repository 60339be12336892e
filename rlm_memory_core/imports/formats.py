"""Reads conversations and messages in the formats of ChatGPT, Claude, OpenAI, Anthropic and ShareGPT.

Text is kept unchanged. Anything else, such as an image, is replaced by its name in brackets, and counted. A model's
thoughts, and messages that the service hid from the user, are left out and counted.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..models.thoughts import split_thoughts
from ..store.escaping import label
from .json_values import HistoryFileError

# names that files use; the first name that is in an object is used
_LISTS = "mapping messages chat_messages conversations conversation turns dialog history contents".split()
_WRAPPERS = ("sessions", "conversations", "chats", "data")  # of lists of conversations
_CONVERSATIONS = ("session", "session_id", "conversation_id")  # in a message outside any conversation
_IDS = ("conversation_id", "uuid", "id", "session_id")
_DATES = ("date", "timestamp", "created_at", "createdAt", "create_time", "ts", "time", "datetime")
_CONTENTS = ("content", "text", "value", "message", "body", "parts")
_BESIDE = ("tool_calls", "function_call", "refusal", "audio", "attachments", "files")  # a message's other contents
_SPEAKERS = ("speaker", "username", "user", "author", "sender", "sender_name", "from")
_TEXTS = ("text", "refusal", "transcript", "result")
_CONTEXTS = ("user_profile", "user_instructions", "model_set_context")  # what ChatGPT knows about its user
_FILES = ("file_name", "fileName", "filename", "name")
_THOUGHTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_content", "thoughts", "reasoning_recap")
_CALLS = ("tool_use", "server_tool_use", "function_call", "custom_tool_call")
_RESULTS = ("tool_result", "function_call_output", "custom_tool_call_output")
_ITEMS = (*_CALLS, *_RESULTS, "reasoning")  # kinds that may occur between messages
_ROLES = {role: role for role in ("user", "assistant", "system", "tool")} | {
    "human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "ai": "assistant",
    "model": "assistant", "observation": "tool", "function_response": "tool", "reasoning": "assistant",
    **dict.fromkeys(_CALLS, "assistant"), **dict.fromkeys(_RESULTS, "tool"),
}  # fmt: skip
_MILLISECONDS = 100_000_000_000  # a larger number is not in seconds: this one would be in the year 5138
_SECONDS = re.compile(r"-?\d{9,}(\.\d*)?")  # seconds since 1970 as text; a shorter number may be a day: 20230520


class Message(NamedTuple):
    """A message in a file.

    Args:
        role, content, name: See `MemoryStore.add`.
        time: When it was said, as in the file; a number of seconds becomes ISO 8601. None if the file gives no time.
        id: The message's id in the file, or "".
    """

    role: str
    content: str
    name: str = ""
    time: str | None = None
    id: str = ""


class Conversation(NamedTuple):
    """A conversation in a file.

    Args:
        id, title: The conversation's id and title in the file, or "".
        date: The date, in the form of `Message.time`.
        messages: The messages, as in the file.
        alone: Whether this is a single message, from a file that lists the messages of a conversation separately.
    """

    id: str
    title: str
    date: str | None
    messages: list[Any]
    alone: bool = False


def wrapped(value: Any) -> tuple[str, list[Any]]:
    """Return the list of conversations or messages in an object that only wraps it, after the word for one item.

    >>> wrapped({"sessions": [[{"role": "user", "content": "Hi"}]]})
    ('session', [[{'role': 'user', 'content': 'Hi'}]])
    """
    for name in _WRAPPERS:
        inner = _dict(value).get(name)
        if isinstance(inner, list) and (
            name not in _LISTS or any(isinstance(each, list) or _dict(each).keys() & {*_LISTS} for each in inner)
        ):
            return name.removesuffix("s"), inner
    return "", []


def conversation_of(value: Any) -> Conversation:
    """Return a JSON value as a conversation. For a message, it is the conversation that the message belongs to.

    Raises:
        HistoryFileError: The conversation has no list of messages.
    """
    if isinstance(value, list):
        return Conversation("", "", None, value)
    if isinstance(value, dict):  # Open WebUI wraps a conversation, and OpenAI's batches wrap a request
        value = {**value, **_dict(value.get("chat")), **_dict(value.get("body"))}
    name = next((name for name in _LISTS if isinstance(value, dict) and name in value), None)
    if name is None or (isinstance(value.get("role"), str) and name != "mapping"):
        return Conversation(_first(value, _CONVERSATIONS, (str, int)), "", None, [value], alone=True)
    messages = _branch(value) if name == "mapping" and isinstance(value[name], dict) else value[name]
    if not isinstance(messages, list):
        raise HistoryFileError(f"has no list of messages{_keys_of(value)}")
    if value.get("system"):
        messages = [{"role": "system", "content": value["system"]}, *messages]
    title = _first(value, ("title", "name")) or _first(value.get("channel"), ("name",))
    return Conversation(_first(value, _IDS, (str, int)), title, _date_of(value), messages)


def _first(value: Any, names: Iterable[str], kinds: type | tuple[type, ...] = str) -> str:
    """Return the first entry of an object with one of these names and types, as text; "" if there is none."""
    found = map(value.get, names) if isinstance(value, dict) else ()
    return next((str(each) for each in found if isinstance(each, kinds) and each != ""), "")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _branch(conversation: dict[str, Any]) -> list[Any]:
    """Return the branch of ChatGPT's message tree that was shown last, beginning with its first message.

    If the file does not say which branch this is, take the one that ends with the newest message. The branch begins
    where a parent is missing or was visited before.
    """
    nodes = {name: node for name, node in conversation["mapping"].items() if isinstance(node, dict)}
    name = conversation.get("current_node")
    if not isinstance(name, str) or name not in nodes:
        parents = {_first(node, ("parent",)) for node in nodes.values()}
        leaves = [leaf for leaf in reversed(nodes) if leaf not in parents] or list(nodes)
        name = max(leaves, key=lambda leaf: _date_of(_dict(nodes[leaf].get("message"))) or "", default=None)
    messages = []
    while isinstance(name, str) and name in nodes:
        node = nodes.pop(name)
        if (message := node.get("message")) is not None:
            messages.append({"id": name, **message} if isinstance(message, dict) else message)
        name = node.get("parent")
    return messages[::-1]


def message_of(message: Any, skipped: Counter[str]) -> Message | None:
    """Read a message.

    Args:
        message: A JSON value.
        skipped: Counts what is left out, by kind.

    Returns:
        The message; None if it has no text that the user saw.

    Raises:
        HistoryFileError: The value is not a message.

    >>> message_of({"from": "human", "value": "Hi"}, Counter())
    Message(role='user', content='Hi', name='', time=None, id='')
    """
    if not isinstance(message, dict):
        raise HistoryFileError(f"is not a message but {label(json.dumps(message))[:60]}")
    message = {**message, **_dict(message.get("message")), **_dict(message.get("data"))}
    metadata, content = _dict(message.get("metadata")), _content(message)
    role, name = _speaker(message)
    is_context = _first(content, ("content_type",)).endswith("_editable_context")
    if is_context:
        role, name, content = "system", "memory", [content[key] for key in _CONTEXTS if content.get(key)]
    elif metadata.get("is_visually_hidden_from_conversation"):
        skipped["hidden message"] += 1
        return None
    skipped.update("thought" for key in _THOUGHTS if message.get(key))
    beside = [metadata.get("attachments"), *map(message.get, _BESIDE)]
    if content is None and not any(beside) and not message.keys() & {*_CONTENTS}:
        raise HistoryFileError(f"has no content{_keys_of(message)}")
    text = "\n".join(filter(None, _texts([content, *filter(None, beside)], skipped)))
    if role == "assistant":
        text, thoughts = split_thoughts(text)
        skipped.update(["thought"] * bool(thoughts))
    recipient = _first(message, ("recipient",))
    if recipient not in ("", "all") and isinstance(message.get("author"), dict) and text:
        text = f"[tool call: {recipient}({text})]"
    if not text.strip():
        skipped["empty message"] += 1
        return None
    known_by = "" if is_context else _first(message, ("id", "uuid"), (str, int))
    return Message(role, text, name, _date_of(message), known_by)


def _content(message: dict[str, Any]) -> Any:
    """Return the content of a message; the whole message if it is a tool call or a result."""
    if message.get("type") in _ITEMS:
        return message
    return next((message[key] for key in _CONTENTS if message.get(key) not in (None, "", [])), None)


def _speaker(message: dict[str, Any]) -> tuple[str, str]:
    """Return the role and the name of the speaker."""
    author, speaker = _dict(message.get("author")), _first(message, _SPEAKERS)
    role = _first(message, ("role",)) or _first(author, ("role",))
    name = _first(message, ("name",)) or _first(author, ("nickname", "name")) or _first(message, ("user_name",))
    if not role and str(message.get("type")) in _ROLES:
        role, name = message["type"], ""
    elif not role and speaker.lower() in _ROLES:
        role = speaker
    elif not role and (name or speaker):
        role, name = "assistant" if author.get("isBot") or author.get("bot") else "user", name or speaker
    if not role:
        raise HistoryFileError(f"has no role{_keys_of(message)}")
    return _ROLES.get(role.lower(), role), name


def _texts(content: Any, skipped: Counter[str]) -> Iterator[str]:
    """Yield the texts in a message's content and its parts."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _texts(part, skipped)
    elif isinstance(content, dict):
        kind = _first(content, ("type", "content_type"))
        call = _dict(content.get("function")) or content
        if kind in _THOUGHTS:
            skipped["thought"] += 1
        elif kind in _CALLS or call is not content or "arguments" in call:
            given = call.get("arguments", call.get("input", ""))
            shown = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
            yield f"[tool call: {call.get('name')}({shown})]"
        elif kind in _RESULTS:
            yield f"[tool result: {' '.join(_texts(content.get('content', content.get('output')), skipped))}]"
        elif content.keys() & {*_TEXTS, "parts"}:
            yield from _texts(content.get("parts") or _first(content, _TEXTS), skipped)
        elif name := _first(content, _FILES):
            yield f"[file: {label(name)}]"
            if not (extracted := _first(content, ("extracted_content",))):
                skipped["file"] += 1
            yield extracted
        else:
            yield from _unread(kind or "part", skipped)
    elif content is not None:
        yield from _unread(type(content).__name__, skipped)


def _unread(kind: str, skipped: Counter[str]) -> Iterator[str]:
    skipped[kind] += 1
    yield f"[{label(kind)}]"


def _date_of(value: dict[str, Any]) -> str | None:
    """Return the date of a message or conversation as in the file, or None.

    A number of seconds (or milli-, micro- or nanoseconds) since 1970 becomes ISO 8601 in UTC.
    """
    date = next((text for each in map(value.get, _DATES) if each and (text := str(each).strip())), None)
    if date is None or not _SECONDS.fullmatch(date):
        return date
    try:
        seconds = float(date)
        for _ in range(3):
            seconds = seconds / 1000 if abs(seconds) >= _MILLISECONDS else seconds
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return date


def _keys_of(value: dict[str, Any]) -> str:
    """Return an object's title and keys, for an error about a missing key."""
    title = _first(value, ("title", "name"))
    named = f'"{label(title)[:80]}"; ' if title else ""
    return f" ({named}its keys: {label(', '.join(value))[:80]})" if value else ""
