"""The code that the offline root model writes: which sessions it has read, and what it prints of them.

It picks and fills in templates; `roles` decides when to write them, and reads what they print.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from textwrap import indent

from ..query import prompts
from ..search.periods import Period

PRINTED = 15_000  # characters of findings
_READ = 10  # sessions of a history that is too large to be read whole
_WORDS = 1_000  # characters of a question's times, by which sessions are ranked
_NEAR = 100  # of the best-ranked sessions, and of those nearest to a time: where those of the time are looked for

_SCAN_COPIED = """\
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
_SCAN_REACHED = """\
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
_SCAN_REST = """\
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

_WAVES = """\
```repl
import json
import re
order = rank_sessions(question{most})
ranks = {{}}
for rank, position in enumerate(order):
    ranks[position] = rank
forms = json.loads({forms!r})
spread = {{}}
heard = {{}}
done = []

def words_in(text):
    lower = text.lower()
    return [term for term in forms if any(re.search(r"\\b" + re.escape(form), lower) for form in forms[term])]

def missing():
    return [term for term in spread if term not in heard]

def read(wave):
    done.extend(wave)
    texts = {{}}
    dates = {{}}
{ask}
    for position in wave:
        for term in words_in({text}):
            heard[term] = heard.get(term, 0) + 1
{count}
    print(json.dumps({{"sessions": {sessions}, "spread": spread, "missing": len(missing()){left}}}))
    size = 0
    lines = []
    for position in wave:
        if position in texts and texts[position].strip() not in ("", "{not_found}", "{not_read}"):
            entry = {{"place": position, "rank": ranks.get(position), "date": dates[position], "text": texts[position]}}
            size += len(json.dumps(entry)) + 1
            if size > {printed}:
                break
            lines.append((position, json.dumps(entry)))
    for position, line in {lines}:
        print(line)

{before}
first = order[:{first}] if all(name in spread for name in {names!r}) else []
{of_time}read(first)
```"""
_MORE = """\
```repl
words = " ".join(forms[term][0] for term in missing())
read([position for position in rank_sessions(words{most}) if position not in done][:{count}])
```"""
_OF_TIME = """\
def is_of_time(position):
    day = parse_date(({date} or "")[:100]) or ""
    return any(start <= day <= end for start, end in {spans!r})

near = dict.fromkeys([*order[:{near}], *rank_sessions({words!r}{few})[:{near}]])
near = [position for position in near if position not in first and is_of_time(position)]
of_time = sorted(near, key=lambda position: ranks.get(position, len(ranks)))[:len(first)]
"""
_LEFT = ', "of_time": len([position for position in of_time if position not in done])'
_MORE_OF_TIME = """\
```repl
read([position for position in of_time if position not in done])
```"""
_ASK = {
    "facts": """\
for fact in read_facts(wave, question):
    turn = "" if fact["turn"] is None else "[Turn " + str(fact["turn"]) + "] "
    notes = ";; " + fact["notes"] if fact["notes"] else ""
    line = "- " + turn + '"' + fact["quote"] + '": ' + fact["text"] + notes if fact["quote"] else fact["text"]
    position = fact["position"]
    texts[position] = texts[position] + "\\n" + line if position in texts else line
    dates[position] = fact["said"]""",
    "in order": """\
for found in read_sessions(wave, question):
    texts[found["position"]] = found["text"]
    dates[found["position"]] = found["date"]""",
    "at once": """\
replies = llm_query_parallel([sessions[i] for i in wave], [session_dates[i] for i in wave], question)
for position, reply in zip(wave, replies):
    texts[position] = reply
    dates[position] = session_dates[position]""",
    "one by one": """\
for position in wave:
    texts[position] = llm_query(session_prompt(sessions[position], session_dates[position], question))
    dates[position] = session_dates[position]""",
    "at once, reached": """\
for position, reply in zip(wave, llm_query_parallel(wave, None, question)):
    texts[position] = reply
    dates[position] = get_date(position)""",
    "one by one, reached": """\
for position in wave:
    texts[position] = llm_query(session_prompt(position, None, question))
    dates[position] = get_date(position)""",
}
_SPREAD_COPIED = """\
for text in sessions:
    for term in words_in(text):
        spread[term] = spread.get(term, 0) + 1"""
_SPREAD_REACHED = """\
for term in forms:
    if any(search_history(form, 1) for form in forms[term]):
        spread[term] = 1"""
_COUNT_REACHED = """\
    for term in heard:
        spread[term] = heard[term]"""


def program(system: str, forms: Mapping[str, Sequence[str]], names: Sequence[str], times: Sequence[Period] = ()) -> str:
    """The first message of the root model: one block of code.

    Args:
        system: Its system prompt, which says what there is and how sessions are to be read.
        forms: For each word of the question the strings by which it is searched.
        names: Those of the words without which there is nothing to read.
        times: The spans of days that the question names.

    >>> program("llm_query_parallel", {}, ()).splitlines()[3]
    'replies = llm_query_parallel(sessions, session_dates, question)'
    """
    reached = _reached(system)
    first = prompts.first_wave(system)
    if first is None and not newest_last(system):
        return _scan(system, forms, reached)
    if "read_facts(" in system:
        ask = _ASK["facts"]
    elif "read_sessions(" in system:
        ask = _ASK["in order"]
    else:
        how = "at once" if "llm_query_parallel" in system else "one by one"
        ask = _ASK[f"{how}, reached" if reached else how]
    dated = first is not None and times
    return _WAVES.format(
        most=_most(system),
        forms=json.dumps(forms),
        names=list(names),
        ask=indent(ask, "    "),
        text="get_session(position)" if reached else "sessions[position]",
        count=_COUNT_REACHED if reached else "",
        sessions="session_count" if reached else "len(sessions)",
        before=_SPREAD_REACHED if reached else _SPREAD_COPIED,
        lines="sorted(lines)" if newest_last(system) else "lines",
        first=first or (_READ if reached else "len(order)"),
        of_time=_of_time(times, reached) if dated else "",
        left=_LEFT if dated else "",
        not_found=prompts.NOT_FOUND,
        not_read=prompts.NOT_READ,
        printed=PRINTED,
    )


def _of_time(times: Sequence[Period], reached: bool) -> str:
    """The lines that list the sessions of these times beside the first wave, as many as that holds at most."""
    return _OF_TIME.format(
        date="get_date(position)" if reached else "session_dates[position]",
        spans=[(f"{time.start}", f"{time.end}") for time in times],
        words=", ".join(dict.fromkeys(time.words for time in times))[:_WORDS],
        few=f", {_NEAR}" if reached else "",
        near=_NEAR,
    )


def wave_of_time() -> str:
    """A later message: the sessions of the time that the question names which were not read so far."""
    return _MORE_OF_TIME


def next_wave(system: str, count: int) -> str:
    """A later message: the `count` sessions that speak most of the words that were not in those read so far."""
    return _MORE.format(most=_most(system), count=count)


def _reached(system: str) -> bool:
    """Whether the texts are not in the REPL."""
    return "session_count" in system


def _most(system: str) -> str:
    return ", 1000" if _reached(system) else ""


def newest_last(system: str) -> bool:
    """Whether findings come in the order in which they were said."""
    return bool(re.search(r"\bread_(?:facts|sessions)\(", system))


def _scan(system: str, forms: Mapping[str, Sequence[str]], reached: bool) -> str:
    """The paper's way: all sessions at once, or of those that are only reached the best."""
    parallel = "llm_query_parallel" in system
    if reached:  # the texts are not in the REPL: the best sessions are read, not all
        code, ask, sessions = _SCAN_REACHED, _PARALLEL_REACHED if parallel else _SEQUENTIAL_REACHED, "session_count"
    else:
        code, ask, sessions = _SCAN_COPIED, _PARALLEL if parallel else _SEQUENTIAL, "len(replies)"
    return (code + _SCAN_REST).format(
        ask=ask,
        sessions=sessions,
        read=_READ,
        forms=json.dumps(forms),
        not_found=prompts.NOT_FOUND,
        not_read=prompts.NOT_READ,
        printed=PRINTED,
    )
