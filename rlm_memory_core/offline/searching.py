"""The offline root model of the search reading: looks at the sessions that the opening found, cites, and answers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..query.prompts import UNKNOWN
from ..store.dates import parse_date
from ..store.escaping import unescape, without_marks
from .history import Turn
from .matching import names, question_words
from .reader import quoted
from .root import final

_LOOKED_AT = 5  # maximum sessions to look at
_PROBES = 6
_END = 60  # characters at the end of a text by which it is recognised
_HEADING = re.compile(r"-- session (\d+)(?:, (.*))?")
_TURN = re.compile(r"(\d+) ([^:]*): (.*?)(?: … \(\+[\d,]+ characters.*\))?")
_NOWHERE = re.compile(r"\(.*nowhere in the history: ([^;]*).*\)")
_LOOK = """\
```repl
find({probes})
look({sessions}, long=600)
```"""


def search(outputs: Sequence[str], question: str, replies: int) -> str:
    """Return the next message: code that searches, code that cites and answers, or the answer.

    Args:
        outputs: What the model has seen: the opening first, then what its code printed.
        question: The question.
        replies: The number of earlier replies.
    """
    lines = [line for output in outputs for line in output.split("\n")]
    nowhere = {word for line in lines[:40] if (told := _NOWHERE.fullmatch(line)) for word in told[1].split(", ")}
    sessions = list(dict.fromkeys(turn.session for turn in _turns(lines)))  # in ranked order
    if not sessions or nowhere & set(names(question)):
        return final(UNKNOWN)
    if not replies:
        probes = ", ".join(repr(word[:100]) for word in question_words(question)[:_PROBES])
        return _LOOK.format(probes=probes, sessions=sessions[:_LOOKED_AT])
    turns: dict[int | None, Turn] = {}
    for turn in _turns(lines):  # a long turn may be shown in several parts
        other = turns.get(turn.number)
        more = other is not None and other.text[-_END:] not in turn.text
        turns[turn.number] = replace(turn, text=f"{turn.text}\n{other.text}") if other and more else turn
    quotes = quoted([turns[number] for number in sorted(turns, key=lambda number: number or 0)], question)
    text = " ".join(" ".join(quotes).replace("```", " ").split()) or UNKNOWN
    cited = [f"{each.turn.number}, {each.text!r}" for each in quotes.values() if "```" not in each.text]
    if not cited or replies > 1:
        return final(text)
    return f"```repl\ncite({', '.join(cited)})\nFINAL({text!r})\n```"


def _turns(lines: Sequence[str]) -> Iterator[Turn]:
    """Yield the turns that the tools printed."""
    session, day = 0, None
    for line in lines:
        if heading := _HEADING.fullmatch(line):
            session, day = int(heading[1]), parse_date(heading[2])
        elif session and (turn := _TURN.fullmatch(line)):
            said = without_marks(
                unescape(turn[3].replace(" / ", "\n").replace(" … ", "\n…\n"))
            )  # no passage may span a cut
            yield Turn(turn[2], said, day, session, int(turn[1]))
