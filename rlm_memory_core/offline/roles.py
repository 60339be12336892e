"""Roles: which part of the package's conversation the offline reader is asked to play, and its lines.

The root model (writes one block of code, then answers from what it printed),
the sub-agent (reads one session) and the plain reader (any other chat). It
only takes messages apart and words replies; ``reader`` does the reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .. import prompts
from ..dates import parse_date
from ..escaping import unescape_tags
from .passages import Turn, parse_turns, sentences
from .question import analyse
from .reader import Extract, answer, compose, extract

_PRINTED = 15_000
_READ = 10  # sessions of a history that is too large to be read whole
_ROOT_FIRST_LINE = prompts.ROOT_SYSTEM.partition("\n")[0]
_OURS = (prompts.HISTORY_SYSTEM, prompts.CHAT_SYSTEM, prompts.SUBAGENT_SYSTEM)
_QUESTION = re.compile(r'^<question(?: date="([^"]*)")?>', re.M)
_QUESTION_END = "</question>"
_SESSION = re.compile(r'\A<session(?: date="([^"]*)")?>\n(.*)\n</session>\n', re.S)
_HISTORY = re.compile(r"\A<history>\n(.*)\n</history>\n", re.S)
_OUTPUT = re.compile(r"\A<output>\n(.*?)\n</output>", re.S)
_LABELLED = re.compile(r"^\s*(?:the )?(?:question|query|q)\s*:\s*(\S.*)$", re.I | re.M)
_TURN_LINE = re.compile(r"\s*\[(?:Turn|---)")

_CODE_COPIED = """\
```repl
import json
import re
{ask}
order = list(rank_sessions(question))
ranks = {{}}
for rank, position in enumerate(order):
    ranks[position] = rank
order = order + [position for position in range(len(replies)) if position not in ranks]
forms = json.loads({forms!r})
spread = {{}}
for text in sessions:
"""
_CODE_REACHED = """\
```repl
import json
import re
order = rank_sessions(question, {read})
ranks = {{}}
for rank, position in enumerate(order):
    ranks[position] = rank
{ask}
replies = dict(zip(order, replies))
session_dates = {{}}
for position in order:
    session_dates[position] = get_date(position)
forms = json.loads({forms!r})
spread = {{}}
for text in [get_session(position) for position in order]:
"""
_CODE_REST = """\
    lower = text.lower()
    for term in forms:
        if any(re.search(r"\\b" + re.escape(form), lower) for form in forms[term]):
            spread[term] = spread.get(term, 0) + 1
print(json.dumps({{"sessions": {sessions}, "spread": spread}}))
size = 0
for position in order:
    reply = str(replies[position]).strip()
    if reply and reply not in ("{not_found}", "{not_read}"):
        entry = {{"place": position, "rank": ranks.get(position), "date": session_dates[position], "text": reply}}
        line = json.dumps(entry)
        size += len(line) + 1
        if size > {printed}:
            break
        print(line)
```"""
_PARALLEL = "replies = llm_query_parallel(sessions, session_dates, question)"
_SEQUENTIAL = """\
replies = []
for session, date in zip(sessions, session_dates):
    replies.append(llm_query(session_prompt(session, date, question)))"""
_PARALLEL_REACHED = "replies = llm_query_parallel(order, None, question)"
_SEQUENTIAL_REACHED = "replies = [llm_query(session_prompt(position, None, question)) for position in order]"


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
    if system.strip() == prompts.SUBAGENT_SYSTEM:
        return _subagent(chat[-1][1])
    return _plain(chat)


def _text(content: Any) -> str:
    """The text of a message, whether a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(str(part.get("text") or "") if isinstance(part, Mapping) else str(part) for part in content)
    return ""


def _root(chat: list[tuple[str, str]]) -> str:
    """First write the code; then, from its output, the answer."""
    asked = next((found for role, text in chat if role == "user" and (found := _asked(text))), None)
    date, question = (asked[0], asked[1]) if asked else (None, "")
    output = _OUTPUT.search(chat[-1][1])
    if output:
        return final(_from_output(unescape_tags(output[1]), question, date))
    if len(chat) > 2:
        return final(prompts.UNKNOWN)
    parallel = "llm_query_parallel" in chat[0][1]
    if "session_count" in chat[0][1]:  # the texts are not in the REPL: the best sessions are read, not all
        code, ask, sessions = _CODE_REACHED, _PARALLEL_REACHED if parallel else _SEQUENTIAL_REACHED, "session_count"
    else:
        code, ask, sessions = _CODE_COPIED, _PARALLEL if parallel else _SEQUENTIAL, "len(replies)"
    return (code + _CODE_REST).format(
        ask=ask,
        sessions=sessions,
        read=_READ,
        forms=json.dumps(analyse(question, date).forms),
        not_found=prompts.NOT_FOUND,
        not_read=prompts.NOT_READ,
        printed=_PRINTED,
    )


def _from_output(output: str, question: str, date: str | None) -> str:
    """Compose the answer from the lines the code printed; what is not such a line is passed over."""
    findings: list[Extract] = []
    spread: dict[str, int] | None = None
    sessions = 1
    for line in output.splitlines():
        match _entry(line):
            case {"spread": dict(counts), "sessions": int(number)}:
                spread = {term: count for term, count in counts.items() if isinstance(count, int)}
                sessions = max(number, 1)
            case {"text": str(text), "place": int(place), "rank": int() | None as rank, "date": str() | None as day}:
                findings.append(Extract(text, parse_date(day), place, rank))
    return compose(question, date, findings, spread, sessions)


def _entry(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


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


def _subagent(prompt: str) -> str:
    session = _SESSION.match(prompt)
    asked = _asked(prompt)
    if session and asked:
        return extract(unescape_tags(session[2]), session[1], asked[1], asked[0])
    text, question, asked_on = _split(prompt)
    return extract(text, None, question, asked_on)


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
