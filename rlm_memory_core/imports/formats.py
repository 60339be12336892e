"""Reads conversations and messages: of ChatGPT, Claude, OpenAI, Anthropic, ShareGPT, and of groups as in Slack.

The formats differ mostly in the names of their keys, so one table of names reads them all. Text is kept unchanged.
Anything else, such as an image, is replaced by its name in brackets, and counted. A model's thoughts, and messages that
the service hid from the user, are left out and counted.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..models.thoughts import split_thoughts
from ..store.escaping import label
from .json_values import HistoryFileError, joined

# names of keys; the first that is in an object is used
_LISTS = "mapping messages chat_messages conversations conversation sessions chats turns dialog history data".split()
_CONVERSATIONS = "session session_id conversation_id".split()
_IDS = "conversation_id uuid id session_id session".split()  # of a list of messages
_TITLES = ("title", "name")
_DATES = "date timestamp created_at create_time ts time".split()
_TEXTS = "content text value message parts refusal transcript result".split()  # in a message or a part
_BESIDE = "tool_calls function_call audio attachments files".split()  # a message's other contents
_SPEAKERS = "speaker username user author sender sender_name from".split()
_CONTEXTS = "user_profile user_instructions model_set_context".split()  # what ChatGPT knows about its user
# kinds of parts, which may also stand between messages
_THOUGHTS = "thinking redacted_thinking reasoning reasoning_content thoughts reasoning_recap".split()
_CALLS = "tool_use server_tool_use function_call custom_tool_call".split()
_RESULTS = "tool_result function_call_output custom_tool_call_output".split()
_ITEMS = dict.fromkeys([*_THOUGHTS, *_CALLS], "assistant") | dict.fromkeys(_RESULTS, "tool")
_ROLES = _ITEMS | {word: word for word in ("user", "assistant", "system", "tool")} | {"human": "user"}
_ROLES |= dict.fromkeys("gpt chatgpt bot ai model".split(), "assistant") | {"observation": "tool"}


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
        place: Its place in the file, such as "line 3", and its title.
        id, title: The conversation's id and title in the file, or "".
        date: The date, in the form of `Message.time`.
        messages: The messages, as in the file.
        alone: Whether this is a single message, from a file that lists the messages of a conversation separately.
    """

    place: str
    id: str
    title: str
    date: str | None
    messages: list[Any]
    alone: bool = False


def conversations_of(value: Any, place: str, around: dict[str, Any]) -> Iterator[Conversation]:
    """Yield the conversations in a JSON value.

    A list of messages is a conversation, and so is a message outside any list. Any other list contains conversations,
    and so does an object with a list under one of the names in `_LISTS`.

    Args:
        value: The value.
        place: Its place, such as "line 3".
        around: The object around it, which has the conversation's id, title and date; {} if there is none.

    >>> value = {"sessions": [[{"role": "user"}]]}
    >>> [(found.place, found.messages) for found in conversations_of(value, "line 3", {})]
    [('line 3, entry 1', [{'role': 'user'}])]
    """
    if not isinstance(value, list):
        fields, title = dict(_as_dict(value)), _first(value, _TITLES)
        if isinstance(fields.get("mapping"), dict):
            fields["mapping"] = _branch(fields)
        lists = [fields[name] for name in _LISTS if isinstance(fields.get(name), list) and "role" not in fields]
        for each in lists:
            yield from conversations_of(each, place + (f' ("{label(title)}")' if title else ""), fields)
        if not lists:
            yield Conversation(place, str(_first(fields, _CONVERSATIONS, (str, int))), "", None, [value], alone=True)
    elif any(map(_is_message, value)):
        system = [{"role": "system", "content": around["system"]}] if around.get("system") else []
        known_by, title = str(_first(around, _IDS, (str, int))), _first(around, _TITLES)
        yield Conversation(place, known_by, title, _date_of(around), [*system, *value])
    else:
        for number, each in enumerate(value, 1):
            yield from conversations_of(each, joined(place, f"entry {number}"), {})


def _is_message(value: Any) -> bool:
    fields = _as_dict(value)
    is_said = fields.keys() & {*_TEXTS} and fields.keys() & {"name", *_SPEAKERS}
    return bool(is_said) or isinstance(fields.get("role"), str) or str(fields.get("type")) in _ROLES


def _branch(conversation: dict[str, Any]) -> list[Any]:
    """Return the branch of ChatGPT's tree of messages that was shown last, beginning with its first message.

    If the file does not say which branch this is, take the one that ends with the newest message. The branch begins
    where a parent is missing or was visited before.
    """
    tree = conversation["mapping"].items()
    nodes = {name: (node.get("message"), _first(node, ("parent",))) for name, node in tree if isinstance(node, dict)}
    name = _first(conversation, ("current_node",))
    if name not in nodes:
        name = max(reversed(nodes), key=lambda node: _date_of(_as_dict(nodes[node][0])) or "", default="")
    shown = []
    while name in nodes:
        message, name = nodes.pop(name)
        shown.append(message)
    return [message for message in reversed(shown) if message is not None]


def message_of(message: Any, skipped: Counter[str]) -> Message | None:
    """Read a message.

    Args:
        message: A JSON value.
        skipped: Counts what is left out, by kind.

    Returns:
        The message; None if it has no text that the user saw.

    Raises:
        HistoryFileError: The value is not a message, or is such an error: it could not be read.

    >>> message_of({"from": "human", "value": "Hi"}, Counter())
    Message(role='user', content='Hi', name='', time=None, id='')
    """
    if isinstance(message, HistoryFileError):
        raise message
    if not isinstance(message, dict):
        raise HistoryFileError(f"is not a message but {label(json.dumps(message))[:60]}")
    metadata = _as_dict(message.get("metadata"))
    content = message if str(message.get("type")) in _ITEMS else _first(message, _TEXTS, object)
    is_context = _first(content, ("content_type",)).endswith("_editable_context")
    if metadata.get("is_visually_hidden_from_conversation") and not is_context:
        skipped["hidden message"] += 1
        return None
    role, name = _speaker(message)
    if is_context:
        role, name, content = "system", "memory", [content[key] for key in _CONTEXTS if content.get(key)]
    skipped.update("thought" for key in _THOUGHTS if message.get(key))
    beside = [metadata.get("attachments"), *map(message.get, _BESIDE)]
    if not (content or any(beside) or message.keys() & {*_TEXTS}):
        raise HistoryFileError(f"has no content{_keys_of(message)}")
    text = "\n".join(filter(None, _texts_in([content, *filter(None, beside)], skipped)))
    if role == "assistant":
        text, thoughts = split_thoughts(text)
        skipped.update(["thought"] * bool(thoughts))
    recipient = _first(message, ("recipient",))
    if recipient not in ("", "all") and isinstance(message.get("author"), dict) and text:
        text = f"[tool call: {recipient}({text})]"
    if not text.strip():
        skipped["empty message"] += 1
        return None
    return Message(role, text, name, _date_of(message), str(_first(message, ("id", "uuid"), (str, int))))


def _texts_in(content: Any, skipped: Counter[str]) -> Iterator[str]:
    """Yield the texts in a message's content and its parts."""
    fields = _as_dict(content)
    kind = _first(fields, ("type", "content_type")) or ("part" if fields else type(content).__name__)
    call, name = _as_dict(fields.get("function")) or fields, _first(fields, ("file_name", "filename", "name"))
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _texts_in(part, skipped)
    elif kind in _THOUGHTS:
        skipped["thought"] += 1
    elif kind in _CALLS or call is not fields or "arguments" in call:
        given = call.get("arguments", call.get("input", ""))
        shown = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        yield f"[tool call: {call.get('name')}({shown})]"
    elif kind in _RESULTS:
        yield f"[tool result: {' '.join(_texts_in(_first(fields, ('content', 'output'), object), skipped))}]"
    elif inner := _first(fields, _TEXTS, object):
        yield from _texts_in(inner, skipped)
    elif content is not None and (name or not fields.keys() & {*_TEXTS}):
        extracted = _first(fields, ("extracted_content",))
        skipped.update([] if extracted else ["file" if name else kind])
        yield f"[file: {label(name)}]\n{extracted}".strip() if name else f"[{label(kind)}]"


def _speaker(message: dict[str, Any]) -> tuple[str, str]:
    """Return the role and the name of the speaker, who may be an object. A role is not the name of a speaker."""
    speakers = [_first(each, ("nickname", "name")) or each for each in map(message.get, _SPEAKERS)]
    words = [word for word in speakers if isinstance(word, str) and word]
    role = _first(message, ("role",)) or _first(message.get("author"), ("role",))
    role = role or next((word for word in (str(message.get("type")), *words) if word.lower() in _ROLES), "")
    name = _first(message, ("name",)) or next((word for word in words if word.lower() not in _ROLES), "")
    name = "" if str(message.get("type")) in _ITEMS else name
    if not (role or name):
        raise HistoryFileError(f"has no role or list of messages{_keys_of(message)}")
    return _ROLES.get(role.lower(), role) or "user", name


def _date_of(value: dict[str, Any]) -> str | None:
    """Return the date of a message or conversation as in the file, or None.

    A number of seconds (or milli-, micro- or nanoseconds) since 1970 becomes ISO 8601 in UTC.
    """
    date = next(filter(None, (str(value.get(key) or "").strip() for key in _DATES)), "")
    with suppress(ValueError, OverflowError, OSError):  # not a number, or not of our time
        digits = len(str(abs(int(date.partition(".")[0]))))
        if digits > 8:  # a shorter number may be a day: 20230520
            return datetime.fromtimestamp(float(date) / 1000 ** min((digits - 9) // 3, 3), UTC).isoformat()
    return date or None


def _keys_of(value: dict[str, Any]) -> str:
    """Return an object's title and keys, for an error about a missing key."""
    title = _first(value, _TITLES)
    named = f'"{label(title)[:80]}"; ' if title else ""
    return f" ({named}its keys: {label(', '.join(value))[:80]})" if value else ""


def _first(value: Any, names: Iterable[str], kinds: type | tuple[type, ...] = str) -> Any:
    """Return the first entry of an object with one of these names and types that is not empty; "" if there is none."""
    found = map(_as_dict(value).get, names)
    return next((each for each in found if isinstance(each, kinds) and each not in (None, "", [], {})), "")


def _as_dict(value: Any) -> dict[str, Any]:
    """Return an object; {} for another value."""
    return value if isinstance(value, dict) else {}
