"""Reads conversations and messages in the formats of ChatGPT, Claude, OpenAI, Anthropic, Teams, Matrix and others.

The formats differ mostly in the names of their keys, so one table of names reads them all. Text is kept unchanged.
Anything else, such as an image, is replaced by its name in brackets, and counted. A model's thoughts, and messages that
the service hid from the user, are left out and counted.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..models.thoughts import split_thoughts
from ..store.escaping import label
from .contents import ARE_THOUGHTS, CALLS, RESULTS, THOUGHTS, as_dict, first, texts_in
from .json_values import HistoryFileError, joined

# names of keys; the first that is in an object is used
_LISTS = """mapping messages chat_messages conversations conversation turns dialog history contents sessions events
    chunk chunks responses list chosen""".split()
_INNER = """chat conversation history body message messageCreate response post data kwargs
    payload""".split()  # objects within one that belong to it
_CONVERSATIONS = "session session_id sessionId conversation_id conversationId room_id".split()
_IDS = "conversation_id conversationId uuid id session_id sessionId session".split()  # of a list of messages
_PARENTS = ("parent", "parentId")
_MESSAGE_IDS = "id uuid event_id messageId".split()
_TITLES = "title name room_name".split()
_DATES = """date timestamp created_at createdAt createdDateTime created_date create_at create_time inserted_at send_date
    sent_at origin_server_ts timestamp_ms ts time datetime""".split()
_CONTENTS = "content text value message mes msg body parts contentParts blocks fragments".split()
_BESIDE = "tool_calls function_call refusal audio attachments files".split()  # a message's other contents
_SPEAKERS = """speaker username user author creator u sender sender_name senderName sender_full_name senderId from
    participant application""".split()
_NAMES = ["nickname", "displayName", "name", "user_name", *_SPEAKERS]
_CONTEXTS = "user_profile user_instructions model_set_context".split()  # what ChatGPT knows about its user
# kinds of messages and of their parts
_IS_BOT = {"isBot": True, "bot": True, "is_user": False, "isCreatedByUser": False}  # says that a model spoke
_ITEMS = [*CALLS, *RESULTS, "reasoning"]  # may occur between messages
_ROLES = {word: word for word in ("user", "assistant", "system", "tool")} | {"human": "user", "request": "user"}
_ROLES |= dict.fromkeys([*"gpt chatgpt bot ai aimessagechunk model response reasoning".split(), *CALLS], "assistant")
_ROLES |= dict.fromkeys(["observation", "function_response", *RESULTS], "tool")
# seconds since 1970 have 9 to 11 digits, milliseconds three more; a shorter number may be a day: 20230520
_SECONDS = re.compile(r"-?(\d{9,})(?:\.\d*)?")


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
        place: Its place in the file, such as "line 3".
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


def conversations_of(value: Any, place: str, skipped: Counter[str], item: str = "entry") -> Iterator[Conversation]:
    """Yield the conversations in a JSON value.

    A list of messages is a conversation, and so is a message outside any list. Any other list or object contains
    conversations. The object around a list of messages has the conversation's id, title and date. A list that an object
    holds twice, under two names of `_LISTS`, is read once. Of preference data, the prompt and the `chosen` answer are
    read.

    Args:
        value: The value.
        place: Its place, such as "line 3".
        skipped: Counts what is left out, by kind.
        item: The word for an entry if the value is a list.

    >>> value = {"sessions": [[{"role": "user"}]]}
    >>> [(found.place, found.messages) for found in conversations_of(value, "", Counter())]
    [('session 1', [{'role': 'user'}])]
    """
    if isinstance(value, list):
        if any(map(_is_message, value)) or not any(map(_may_hold, value)):
            yield Conversation(place, "", "", None, value)
            return
        for number, each in enumerate(value, 1):
            yield from conversations_of(each, joined(place, f"{item} {number}"), skipped)
        return
    fields = _merged(value)
    names = ["prompt", *_LISTS] if isinstance(fields.get("prompt"), list) and "chosen" in fields else _LISTS
    if "chosen" in fields and fields.pop("rejected", None):
        skipped["rejected answer"] += 1
    named = [key for key in names if key in fields]
    lists = [key for key in named if isinstance(fields[key], list)]
    lists = lists or [key for key in named if any(map(_may_hold, as_dict(fields[key]).values()))][:1]
    others = (key for key, each in fields.items() if _may_hold(each) or as_dict(each).keys() & {*_LISTS})
    if _is_message(value) or not (inner := lists or list(others)):
        yield Conversation(place, str(first(fields, _CONVERSATIONS, (str, int))), "", None, [value], alone=True)
        return
    read: list[Any] = []
    for key in inner:
        held = fields[key]
        inside = place if isinstance(held, list) else joined(place, key)
        for found in conversations_of(held, inside, skipped, key.removesuffix("s")):
            if found.messages is held:
                if lists and held in read:
                    skipped["repeated list"] += 1
                    continue
                read.append(held)
                title = first(fields, _TITLES) or first(fields.get("channel"), ("name",))
                system = [{"role": "system", "content": fields["system"]}] if fields.get("system") else []
                chosen = [fields["chosen"]] if _is_message(fields.get("chosen")) else []
                messages = [*system, *held, *chosen]
                known_by = str(first(fields, _IDS, (str, int)))
                found = Conversation(found.place, known_by, title, _date_of(fields), messages)
            yield found


def _merged(value: Any) -> dict[str, Any]:
    """Return an object with the entries of the objects in it that belong to it; {} for another value."""
    fields = dict(as_dict(value))
    for name in filter(fields.__contains__, _INNER):
        inner = as_dict(fields[name])
        fields |= {} if "role" in fields and "role" in inner else inner  # with two roles, they are two messages
    for name in ("mapping", "messages"):  # may be objects whose entries name their parents
        if isinstance(fields.get(name), dict):
            fields[name] = _branch(fields, fields[name])
    return fields


def _is_message(value: Any) -> bool:
    fields = _merged(value)
    if isinstance(fields.get("role"), str):
        return "mapping" not in fields
    is_said = fields.keys() & {*_CONTENTS} and fields.keys() & {*_NAMES, *_IS_BOT}
    return not _may_hold(fields) and (bool(is_said) or _is_role(str(fields.get("type"))))


def _may_hold(value: Any) -> bool:
    """Return whether a list, or an object that is not a message, may contain messages."""
    inner = value if isinstance(value, list) else map(_merged(value).get, _LISTS)
    return any(isinstance(each, list | dict) for each in inner)


def _branch(conversation: dict[str, Any], tree: dict[str, Any]) -> list[Any]:
    """Return the branch of a tree of messages that was shown last, beginning with its first message.

    If the file does not say which branch this is, take the one that ends with the newest message. The branch begins
    where a parent is missing or was visited before. If no message names a parent, all of them are one branch.
    """
    nodes = {}
    for name, node in tree.items():
        if isinstance(node, dict):
            message = node.get("message", node)
            nodes[name] = {"id": name, **message} if isinstance(message, dict) else message, first(node, _PARENTS)
    name, parents = first(conversation, ("current_node", "currentId")), {parent for _, parent in nodes.values()}
    if name not in nodes:
        leaves = [leaf for leaf in reversed(nodes) if leaf not in parents] or list(nodes)
        name = max(leaves, key=lambda leaf: _date_of(as_dict(nodes[leaf][0])) or "", default="")
    if not any(parents):
        return [message for message, _ in nodes.values() if message is not None]
    shown = []
    while name in nodes:
        message, name = nodes.pop(name)
        shown.append(message)
    return [message for message in reversed(shown) if message is not None]


def with_replies(messages: list[Any]) -> Iterator[Any]:
    """Yield messages, each followed by the messages that it contains because they answer it."""
    waiting = messages[::-1]
    while waiting:
        yield (message := waiting.pop())
        waiting += filter(_is_message, reversed(first(message, ("children", "replies"), list)))


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
    message = _merged(message)
    metadata = as_dict(message.get("metadata"))
    is_part = message.get("type") in _ITEMS or True in map(message.get, ARE_THOUGHTS)
    content = message if is_part else first(message, _CONTENTS, object)
    is_event = str(message.get("type")).removeprefix("m.room.message").startswith("m.")  # of Matrix, such as a join
    hidden = metadata.get("is_visually_hidden_from_conversation") or is_event or "chat_metadata" in message
    is_context = first(content, ("content_type",)).endswith("_editable_context")
    if hidden and not is_context:
        skipped["hidden message"] += 1
        return None
    role, name = _speaker(message)
    if is_context:
        role, name, content = "system", "memory", [content[key] for key in _CONTEXTS if content.get(key)]
    skipped.update("thought" for key in THOUGHTS if message.get(key))
    beside = [metadata.get("attachments"), *map(message.get, _BESIDE)]
    if not (content or any(beside)) and not message.keys() & {*_CONTENTS}:
        raise HistoryFileError(f"has no content{_keys_of(message)}")
    text = "\n".join(filter(None, texts_in([content, *filter(None, beside)], skipped)))
    if role == "assistant":
        text, thoughts = split_thoughts(text)
        skipped.update(["thought"] * bool(thoughts))
    recipient = first(message, ("recipient",))
    if recipient not in ("", "all") and isinstance(message.get("author"), dict) and text:
        text = f"[tool call: {recipient}({text})]"
    if not text.strip():
        skipped["empty message"] += 1
        return None
    known_by = "" if is_context else first(message, _MESSAGE_IDS, (str, int))
    return Message(role, text, name, _date_of(message), str(known_by))


def _speaker(message: dict[str, Any]) -> tuple[str, str]:
    """Return the role and the name of the speaker."""
    author = as_dict(message.get("author"))
    kinds = (as_dict(part).get("type") for part in first(message, ("fragments",), list))  # of DeepSeek
    words = map(str, (*map(message.get, ("type", *_SPEAKERS)), *kinds))
    role = first(message, ("role",)) or first(author, ("role",)) or next(filter(_is_role, words), "")
    name = "" if message.get("type") in _ITEMS else _name_in(message)
    if not role and name:
        is_bot = any({**author, **message}.get(key) is told for key, told in _IS_BOT.items())
        role = "assistant" if is_bot or as_dict(message.get("from")).get("application") else "user"
    if not role:
        raise HistoryFileError(f"has no role or list of messages{_keys_of(message)}")
    return _ROLES.get(role.lower(), role), name


def _is_role(word: str) -> bool:
    return word.lower() in _ROLES


def _name_in(value: Any) -> str:
    """Return the first name of a speaker in an object, also within objects. A role is not the name of a speaker."""
    if not isinstance(value, dict):
        return value if isinstance(value, str) else ""
    keys = (key for key in _NAMES if key in value and not (key in _SPEAKERS and _is_role(str(value[key]))))
    return next(filter(None, (_name_in(value[key]) for key in keys)), "")


def _date_of(value: dict[str, Any]) -> str | None:
    """Return the date of a message or conversation as in the file, or None.

    A number of seconds (or milli-, micro- or nanoseconds) since 1970 becomes ISO 8601 in UTC.
    """
    date = next((text for each in map(value.get, _DATES) if each and (text := _inmost(each).strip())), None)
    with suppress(TypeError, ValueError, OverflowError, OSError):  # not a number, or not of our time
        digits = len(_SECONDS.fullmatch(date)[1])  # type: ignore[arg-type,index]
        return datetime.fromtimestamp(float(date) / 1000 ** min((digits - 9) // 3, 3), UTC).isoformat()  # type: ignore[arg-type]
    return date


def _inmost(value: Any) -> str:
    """Return a value, or the first one in the objects around it, as text: databases write `{"$date": …}`."""
    while isinstance(value, dict) and value:
        value = next(iter(value.values()))
    return str(value)


def _keys_of(value: dict[str, Any]) -> str:
    """Return an object's title and keys, for an error about a missing key."""
    title = first(value, _TITLES)
    named = f'"{label(title)[:80]}"; ' if title else ""
    return f" ({named}its keys: {label(', '.join(value))[:80]})" if value else ""
