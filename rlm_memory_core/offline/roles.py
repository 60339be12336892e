"""Roles: which part of the package's conversation the offline reader is asked to play, and its lines.

The root model (writes the code that ``code`` words, then answers from what it printed),
the sub-agent (reads one session) and the plain reader (any other chat). It
only takes messages apart and words replies; ``reader`` does the reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..query import prompts
from ..search.periods import periods
from ..store.escaping import unescape_tags
from .code import program
from .facts import with_fields
from .question import analyse
from .reader import answer, extract
from .turns import Turn, parse_turns, sentences
from .waves import read_on_or_answer

_ROOT_FIRST_LINE = prompts.ROOT_SYSTEM.partition("\n")[0]
_SUBAGENTS = (prompts.SUBAGENT_SYSTEM, prompts.SUBAGENT_FACTS_SYSTEM)
_OURS = (prompts.HISTORY_SYSTEM, prompts.CHAT_SYSTEM, *_SUBAGENTS)
_QUESTION = re.compile(r'^<question(?: date="([^"]*)")?>', re.M)
_QUESTION_END = "</question>"
_SESSION = re.compile(r'\A<session(?: date="([^"]*)")?>\n(.*)\n</session>\n', re.S)
_HISTORY = re.compile(r"\A<history>\n(.*)\n</history>\n", re.S)
_OUTPUT = re.compile(r"\A<output>\n(.*?)\n</output>", re.S)
_LABELLED = re.compile(r"^\s*(?:the )?(?:question|query|q)\s*:\s*(\S.*)$", re.I | re.M)
_TURN_LINE = re.compile(r"\s*\[(?:Turn|---)")


def reply(messages: Sequence[Mapping[str, Any]]) -> str:
    """Give the assistant's next message for a chat, in whichever part the system message casts it.

    Args:
        messages: A chat-completions message list. Odd ones (no content, unknown roles, none at all) are tolerated.

    >>> reply([{"role": "user", "content": "My cat is called Mochi."},
    ...        {"role": "user", "content": "What is my cat called?"}])
    'My cat is called Mochi.'
    """
    chat = [
        (str(message.get("role") or ""), _text(message.get("content")))
        for message in messages or ()
        if isinstance(message, Mapping)
    ]
    system = chat[0][1] if chat and chat[0][0] in ("system", "developer") else ""
    if system.startswith(_ROOT_FIRST_LINE):
        return _root(chat)
    if system.strip() in _SUBAGENTS:
        return _subagent(chat[-1][1], facts=system.strip() == prompts.SUBAGENT_FACTS_SYSTEM)
    return _plain(chat)


def _text(content: Any) -> str:
    """The text of a message, whether a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(str(part.get("text") or "") if isinstance(part, Mapping) else str(part) for part in content)
    return ""


def _root(chat: list[tuple[str, str]]) -> str:
    """First write the code; then, from its output, read on or answer."""
    system = chat[0][1]
    asked = next((found for role, text in chat if role == "user" and (found := _asked(text))), None)
    date, question = (asked[0], asked[1]) if asked else (None, "")
    outputs = [unescape_tags(shown[1]) for role, text in chat if role == "user" and (shown := _OUTPUT.search(text))]
    if outputs:
        more, text = read_on_or_answer(system, outputs, question, date, forced=prompts.FORCED in chat[-1][1])
        return more or final(text)
    if len(chat) > 2:
        return final(prompts.UNKNOWN)
    query = analyse(question, date)
    return program(system, query.forms, query.names, periods(question, date))


def final(text: str) -> str:
    """Put an answer into ``FINAL(...)`` on one line, with its parentheses balanced.

    >>> final("Paris (France")
    'FINAL(Paris France)'
    """
    text = " ".join(text.replace("```", " ").split())
    kept = list(text)
    opened: list[int] = []
    for at, character in enumerate(text):
        if character == "(":
            opened.append(at)
        elif character == ")":
            if opened:
                opened.pop()
            else:
                kept[at] = ""
    for at in opened:
        kept[at] = ""
    return f"FINAL({''.join(kept)})"


def _subagent(prompt: str, facts: bool) -> str:
    session = _SESSION.match(prompt)
    asked = _asked(prompt)
    if session and asked:
        text, day, question, asked_on = unescape_tags(session[2]), session[1], asked[1], asked[0]
    else:
        day, (text, question, asked_on) = None, _split(prompt)
    found = extract(text, day, question, asked_on)
    return with_fields(found, day, question, asked_on) if facts else found


def _plain(chat: list[tuple[str, str]]) -> str:
    last = max((at for at, (role, text) in enumerate(chat) if role == "user" and text.strip()), default=None)
    if last is None:
        return prompts.UNKNOWN
    text, question, date = _split(chat[last][1])
    history = _HISTORY.match(text)
    turns = [Turn(role, said) for role, said in chat[:last] if not said.startswith(_OURS)]
    turns += parse_turns(unescape_tags(history[1]) if history else text)
    return answer(turns, question, date)


def _asked(prompt: str) -> tuple[str | None, str, int] | None:
    """The date and the text of the question that ends a prompt, and where it begins."""
    openings = list(_QUESTION.finditer(prompt))
    whole = prompt.rstrip()
    if not openings or not whole.endswith(_QUESTION_END):
        return None
    opening = openings[-1]
    text = whole[opening.end() : -len(_QUESTION_END)]
    return opening[1], unescape_tags(text.strip()), opening.start()


def _split(prompt: str) -> tuple[str, str, str | None]:
    """Take a free prompt apart: its text, the question it asks, and the date of asking."""
    asked = _asked(prompt)
    if asked:
        return prompt[: asked[2]], asked[1], asked[0]
    labelled = list(_LABELLED.finditer(prompt))
    if labelled:
        mark = labelled[-1]
        return prompt[: mark.start()] + prompt[mark.end() :], mark[1], None
    lines = [line for line in prompt.splitlines() if line.strip()]
    if len(lines) <= 1:
        lines = sentences(prompt)
    if len(lines) <= 1:
        return "", prompt.strip(), None
    asking = [at for at, line in enumerate(lines) if "?" in line and not _TURN_LINE.match(line)]
    at = next((at for at in (len(lines) - 1, 0) if at in asking), asking[-1] if asking else len(lines) - 1)
    return "\n".join(lines[:at] + lines[at + 1 :]), lines[at].strip(), None
