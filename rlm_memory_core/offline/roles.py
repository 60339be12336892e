"""Recognises from the prompts which role the offline reader has in a conversation, and returns its next message.

The roles are the root model, a sub-agent, and a model that answers from a whole history or chat. This module only
parses messages; `reader`, `root` and `searching` do the rest.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ..query import prompts
from ..store.escaping import unescape_tags
from .history import Turn, parse_turns, sentences
from .matching import names
from .reader import ABOUT, answer, extract
from .root import final, first_message, next_message
from .searching import search

_ROOT_FIRST_LINE = prompts.ROOT_SYSTEM.partition("\n")[0]
_SEARCH_FIRST_LINE = prompts.SEARCH_SYSTEM.partition("{")[0]
_SUBAGENTS = (prompts.SUBAGENT_SYSTEM, prompts.SEARCH_SUBAGENT_SYSTEM)
_ABOUT = {prompts.UNKNOWN: ABOUT, final(prompts.UNKNOWN): final(ABOUT)}
_QUESTION = re.compile(r'^<question(?: date="[^"\n]*")?>\n(.*)\n</question>\s*\Z', re.M | re.S)
_QUESTION_FIRST = re.compile(r'<question(?: date="[^"\n]*")?>\n(.*?)\n</question>\n', re.S)
_SESSION = re.compile(r'<session(?: date="([^"\n]*)")?>\n')
_MARKER = re.compile(r"\A\[--- Session \d+ \| [^\[\]\n]* ---\]\n*")
_OUTPUT = re.compile(r"<output>\n(.*?)\n?(?<!\\)</output>", re.S)


def reply(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the assistant's next message in a chat.

    Args:
        messages: The messages of a chat-completions request. Messages may lack content or have unknown roles, and the
            list may be empty.

    >>> reply([{"role": "user", "content": "My cat is called Mochi."},
    ...        {"role": "user", "content": "What is my cat called?"}])
    'My cat is called Mochi.'
    """
    chat = [
        (str(message.get("role") or ""), _text(message.get("content")))
        for message in messages or ()
        if isinstance(message, Mapping)
    ]
    system = chat[0][1].strip() if chat and chat[0][0] in ("system", "developer") else ""
    if system.startswith(_ROOT_FIRST_LINE):
        return _or_about(_root(system, chat[1:]), chat[1:2])
    if system.startswith(_SEARCH_FIRST_LINE):
        return _or_about(_searching_root(chat[1:]), chat[1:2])
    if system in _SUBAGENTS:
        return _subagent(chat[-1][1])
    chat = [(role, text) for role, text in chat if role not in ("system", "developer")]
    return _or_about(_plain(chat), [(role, text) for role, text in chat if role == "user"][-1:])


def _or_about(said: str, asking: Sequence[tuple[str, str]]) -> str:
    """Replace "I don't know" with a description of the reader if the message is not a question, such as "Hi there!"."""
    is_question = not asking or re.search("[?？؟]", _question(asking[0][1]))
    return said if is_question else _ABOUT.get(said, said)


def _text(content: Any) -> str:
    """Return the text of a message, whose content may be a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(str(part.get("text") or "") if isinstance(part, Mapping) else str(part) for part in content)
    return ""


def _root(system: str, chat: Sequence[tuple[str, str]]) -> str:
    """Return the program first. Then return more code or the answer, based on what it printed."""
    told = [text for role, text in chat if role == "user"]
    _, question = _split(told[0]) if told else ("", "")
    outputs = [unescape_tags(shown[1]) for text in told if (shown := _OUTPUT.match(text))]
    if outputs:
        return next_message(system, outputs, question, forced=prompts.PAPER_FORCED in told[-1])
    return first_message(system, question) if len(chat) < 2 else final(prompts.UNKNOWN)


def _searching_root(chat: Sequence[tuple[str, str]]) -> str:
    """Look at the sessions that the opening search found, then cite and answer."""
    told = [text for role, text in chat if role == "user"]
    outputs = [unescape_tags(shown[1]) for text in told if (shown := _OUTPUT.search(text))]
    return search(outputs, _question(told[0]) if told else "", len(chat) // 2)


def _question(prompt: str) -> str:
    """Return the question in a prompt. It may be at the beginning or at the end."""
    first = _QUESTION_FIRST.match(prompt)
    return unescape_tags(first[1]) if first else _split(prompt)[1]


@lru_cache(256)  # the methods that an experiment compares have the same sessions read
def _subagent(prompt: str) -> str:
    session = _SESSION.match(prompt)
    text, question = _split(prompt[session.end() :] if session else prompt)
    return extract(text.removesuffix("</session>\n"), session[1] if session else None, question)


def _plain(chat: Sequence[tuple[str, str]]) -> str:
    """Answer the user's last message from its own text and the messages before it."""
    last = max((at for at, (role, text) in enumerate(chat) if role == "user" and text.strip()), default=None)
    if last is None:
        return prompts.UNKNOWN
    text, question = _split(chat[last][1])
    text = text.removeprefix("<history>\n").removesuffix("</history>\n")
    turns = [*_said(chat[:last]), *parse_turns(text)]
    history = "\n".join(turn.text for turn in turns).lower()
    return prompts.UNKNOWN if any(name not in history for name in names(question)) else answer(turns, question)


def _said(chat: Sequence[tuple[str, str]]) -> Iterator[Turn]:
    """Yield the messages of a chat as turns, without the lines that begin sessions."""
    for role, said in chat:
        yield Turn(role, _MARKER.sub("", said, count=1))


def _split(prompt: str) -> tuple[str, str]:
    """Split a prompt into its text and its question. Without tags, the question is the last line with a "?"."""
    start = prompt.rfind("\n<question") + 1
    if asked := _QUESTION.match(prompt, start):
        return unescape_tags(prompt[:start]), unescape_tags(asked[1])
    lines = [line for line in prompt.splitlines() if line.strip()]
    if len(lines) == 1:
        lines = sentences(prompt)
    asking = [at for at, line in enumerate(lines) if "?" in line and not line.lstrip().startswith("[")]
    at = max(asking, default=len(lines) - 1)
    return "\n".join(lines[:at] + lines[at + 1 :]), "".join(lines[at : at + 1])
