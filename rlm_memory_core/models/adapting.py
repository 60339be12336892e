"""Turns our requests into what servers accept, and learns from what they refuse.

Servers differ in the fields that they know, in the order of roles that they accept, and in the format of their errors.
Once a server has refused something, later requests leave it out or express it differently.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .types import ChatMessage

Lessons = dict[str, int]
"""What a server refuses: names of fields, `SYSTEM` and `WINDOW`. `MOST` is the longest reply in tokens."""

LEARNT: dict[tuple[str, str], Lessons] = {}
"""What this process has learnt, by server address and model."""

SYSTEM, WINDOW, MOST = "system role", "context window", "most tokens"
_LIMITS = ("max_tokens", "max_completion_tokens")
_OPTIONAL = (*_LIMITS, "temperature", "stream_options", "stream", "encoding_format", "seed", "response_format")
_TELLING = (400, 404, 406, 413, 415, 422, 500, 501)  # statuses after which another form of the request may work
_CLUES = {"encoding_format": "|base64", "stream": "(?! options)|streaming"}  # other words for a field
_UNNAMED = re.compile(r"\b(?:param(?!\\?['\"])|arg|field)")  # but not the "param" of every error in OpenAI's format
_ROLES = re.compile(
    r"\brole|\bsystem[ _](?:message|prompt|instruction)|developer instruction|[`'\":] ?system(?:[`'\"\\.]|$)"
    r"|\buser\W+(?:or|and)\W+assistant|\buser message|\b(?:from|with) user"
)
# a message says that a request is too long if something long and a word for excess are in one sentence
_LONG = r"\b(?:context|prompt|input|seq|message|request|text|string|content|conversation|token|length|len\b|n ctx)"
_EXCESS = r"(?:too (?:long|large|big)|(?:long|larg)er than|more (?:tokens )?than|exceed|overflow|surpass|beyond)"
_TOO_LONG = re.compile(
    rf"{_LONG}[^.;\"]{{0,80}}?{_EXCESS}|(?:exceed|overflow|out of|reduce|shorten)[^.;\"]{{0,80}}?{_LONG}"
    r"|(?:context|prompt|input|sequence) ?(?:length|window|size)|too many (?:\w+ )?tokens|max new tokens|fewer tokens"
    r"|maximum number of (?:input )?tokens|less than \d+ tokens"
)
_OF_PROMPT = re.compile(r"prompt|input|messages")
_LIMIT = re.compile(r"max(?:imum)?[_ ]?(?:completion[_ ]?|new[_ ]?|output[_ ]?)?tokens")
_NUMBER = re.compile(r"\b(?:\d{1,3}(?:,\d{3})+|\d{3,7})\b")
_ANSWERS_FIRST = ChatMessage(role="user", content="(The assistant begins.)")
_LEAST = 512  # tokens; a smaller number in an error is not a limit on the reply


def accepted(body: Mapping[str, Any], learnt: Lessons) -> dict[str, Any]:
    """Return a request's body in the form that a server accepts.

    >>> accepted({"max_tokens": 9_000, "temperature": 0.0}, {"max_tokens": 0, "temperature": 0, MOST: 4_096})
    {'max_completion_tokens': 4096}
    """
    sent = dict(body)
    if "messages" in sent:
        sent["messages"] = alternating(sent["messages"], SYSTEM in learnt)
    if "max_tokens" in sent:
        sent["max_tokens"] = min(sent["max_tokens"], learnt.get(MOST, sent["max_tokens"]))
        if "max_tokens" in learnt:
            sent["max_completion_tokens"] = sent["max_tokens"]
    return {name: value for name, value in sent.items() if name not in (*learnt, *_LIMITS * (WINDOW in learnt))}


def alternating(messages: Sequence[ChatMessage], fold_system: bool = False) -> list[ChatMessage]:
    """Merge all system messages into one, merge neighbours with the same role, and let the user begin.

    Messages that are not plain text, such as tool calls, tool results and images, stay unchanged.

    Args:
        messages: The conversation. If it begins with a system message and alternates, it stays unchanged.
        fold_system: Whether to put the system message into the first user message.

    >>> alternating([{"role": "user", "content": "Hi."}, {"role": "user", "content": "Who?"}])
    [{'role': 'user', 'content': 'Hi.\\n\\nWho?'}]
    """
    said = [message for message in messages if not _is_text(message) or message["content"].strip()] or list(messages)
    system = [message for message in said if message["role"] == "system" and _is_text(message)]
    others = [message for message in said if message not in system]
    if not others or others[0]["role"] == "assistant":
        others.insert(0, _ANSWERS_FIRST)
    merged: list[ChatMessage] = []
    for message in (*system, *others):
        if fold_system and message["role"] == "system":
            message = {**message, "role": "user"}
        if merged and merged[-1]["role"] == message["role"] and _is_text(merged[-1]) and _is_text(message):
            message = {**message, "content": f"{merged.pop()['content']}\n\n{message['content']}"}
        merged.append(message)
    return merged


def _is_text(message: ChatMessage) -> bool:
    return message.keys() == {"role", "content"} and isinstance(message["content"], str)


def lessons(sent: Mapping[str, Any], status: int, text: str) -> Lessons:
    """Return what a refusal teaches, or an empty dict if another form of the request would not help.

    Args:
        sent: The body that was refused.
        status: The HTTP status of the answer.
        text: The text of the answer.
    """
    said = text[:10_000].lower()
    if status not in _TELLING:
        return {}
    limit = next((name for name in _LIMITS if name in sent), "")
    if limit and _LIMIT.search(said) and not _OF_PROMPT.search(said):
        numbers = (int(number.replace(",", "")) for number in _NUMBER.findall(said))
        if fitting := [number for number in numbers if _LEAST <= number < sent[limit]]:
            return {MOST: max(fitting)}
    if limit and is_too_long(status, text):
        return {WINDOW: 0}  # ask for a shorter reply; not remembered, because its length depends on the prompt
    optional = {name: rf"\b{name.replace('_', '[_ ]?')}\b{_CLUES.get(name, '')}" for name in _OPTIONAL if name in sent}
    if named := [name for name, pattern in optional.items() if re.search(pattern, said)]:
        return dict.fromkeys(named, 0)
    if _ROLES.search(said) and any(message["role"] == "system" for message in sent.get("messages", ())):
        return {SYSTEM: 0}
    return {name: 0 for name in optional if name != "stream" and status < 500 and _UNNAMED.search(said)}


def is_too_long(status: int, text: str) -> bool:
    """Return whether a server refused a request because it exceeds the model's context window.

    >>> is_too_long(400, "This model's maximum context length is 8192 tokens."), is_too_long(400, "No such model.")
    (True, False)
    """
    said = text[:10_000].lower().replace("_", " ")
    is_over_limit = status == 429 and "request too large" in said  # OpenAI has no separate code for this
    return status == 413 or is_over_limit or (status in _TELLING and _TOO_LONG.search(said) is not None)
