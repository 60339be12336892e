"""The offline root model. It writes a program that sends sub-agents to sessions, and answers from its output.

There is one program for all ways of reading. It is filled in according to what the system prompt offers.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from ..query import prompts
from ..store.dates import parse_date
from .history import Turn
from .matching import names
from .reader import answer

_PRINTED = 15_000  # maximum characters of findings that one step prints
_WAVES = 2  # maximum steps of reading, so that the cost of a question does not grow with the history

_PROGRAM = """\
```repl
import json
order = rank_sessions(question)
ranks = {{position: rank for rank, position in enumerate(order)}}
missing = [name for name in {names!r} if not any(name in session.lower() for session in sessions)]

def read(wave):
{ask}
    size = 0
    for entry in sorted(found, key=lambda entry: ranks[entry["position"]]):
        line = json.dumps(entry)
        size += len(line) + 1
        if size <= {printed} and entry["text"].strip() not in ("{not_found}", "{not_read}"):
            print(line)

print(json.dumps({{"sessions": len(order), "missing": missing}}))
{start}
```"""
_ASK_PARALLEL = """\
    replies = llm_query_parallel([sessions[at] for at in wave], [session_dates[at] for at in wave], question)
    found = [{"position": at, "date": session_dates[at], "text": reply} for at, reply in zip(wave, replies)]"""
_ASK_SEQUENTIAL = """\
    found = []
    for at in wave:
        reply = llm_query(session_prompt(sessions[at], session_dates[at], question))
        found.append({"position": at, "date": session_dates[at], "text": reply})"""
_NEXT_WAVE = """\
```repl
read(sorted(order[{done}:{end}]))
```"""
_WAVE = re.compile(r"\bhave the (\d+) best read at once\.")
_LINE = re.compile(r'- (?:\[Turn \d+\] )?"(.*)": (\w*)(?:, near: ([\w, ]*))?')


def first_message(system: str, question: str) -> str:
    """Return the program that ranks the sessions and reads the best ones, or all if the prompt names no number.

    Args:
        system: The system prompt of the root model, which says what the REPL contains.
        question: The question.
    """
    first = _first_wave(system)
    wave = "order" if first is None else f"order[:{first}]"
    ask = _ASK_PARALLEL if "llm_query_parallel(" in system else _ASK_SEQUENTIAL
    return _PROGRAM.format(
        names=[name[:100] for name in names(question)],
        ask=ask,
        printed=_PRINTED,
        not_found=prompts.NOT_FOUND,
        not_read=prompts.NOT_READ,
        start=f"read(sorted({wave}))" if first is None else f"if not missing:\n    read(sorted({wave}))",
    )


def next_message(system: str, outputs: Sequence[str], question: str, forced: bool) -> str:
    """Return the answer from what the program printed, or code that reads the next sessions.

    Args:
        system: The system prompt of the root model.
        outputs: What the program printed, one text per step.
        question: The question.
        forced: Whether no further code will be run.
    """
    entries = [entry for output in outputs for line in output.splitlines() if (entry := _entry(line))]
    header = next((entry for entry in entries if isinstance(entry.get("sessions"), int)), {})
    if header.get("missing"):
        return final(prompts.UNKNOWN)
    found = [turn for entry in entries for turn in _turns(entry)]
    order = list(dict.fromkeys(turn.session for turn in found))  # in ranked order
    weights = {session: 1 + 1 / (1 + rank) for rank, session in enumerate(order)}
    text = answer([replace(turn, weight=weights[turn.session]) for turn in found], question)
    first, done = _first_wave(system), len(outputs)
    if text == prompts.UNKNOWN and first and done < _WAVES and header.get("sessions", 0) > done * first and not forced:
        return _NEXT_WAVE.format(done=done * first, end=(done + 1) * first)
    return final(text)


def final(text: str) -> str:
    """Put an answer into ``FINAL(...)`` on one line. If its parentheses do not match, remove them.

    >>> final("Paris (France")
    'FINAL(Paris France)'
    """
    text = " ".join(text.replace("```", " ").split())
    depths = [0, *accumulate((character == "(") - (character == ")") for character in text)]
    if min(depths) < 0 or depths[-1] != 0:
        text = text.replace("(", "").replace(")", "")
    return f"FINAL({text})"


def _first_wave(system: str) -> int | None:
    """Return how many sessions the system prompt says to read first; None if it does not say."""
    wave = _WAVE.search(system)
    return int(wave[1]) if wave else None


def _entry(line: str) -> dict[str, Any] | None:
    """Return the object in a line of output; None for a line that is not from the program."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _turns(entry: dict[str, Any]) -> list[Turn]:
    """Return each quote in an entry as a turn. Each other line of the sub-agent's text also becomes a turn."""
    match entry:
        case {"position": int(position), "date": str() | None as date, "text": str(text)}:
            found = [(line, _LINE.fullmatch(line)) for line in text.splitlines()]
            return [
                Turn(line[2], line[1], parse_date(date), position, about=line[3] or "")
                if line
                else Turn("", plain, parse_date(date), position)
                for plain, line in found
            ]
    return []
