"""An answer as it is shown: what it says, what it stands on, what was read, what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..query.answer import Answer
from ..query.coverage import Call
from ..query.evidence import Evidence, supporting
from ..store.escaping import label
from .context import Said, around
from .rendering import clip, counted, dollars, duration, render, show

_ITEMS, _OTHERS = 20, 10  # pieces of evidence: those that the answer stands on, or all where it stands on none; others
_OPEN = 5  # turns that are opened in place
_ANSWER, _QUOTE, _TEXT, _TURN, _SIDE = 6_000, 1_000, 600, 500, 300  # characters


@dataclass(frozen=True, slots=True)
class Item:
    """What was found in one turn, or in one session where nothing is quoted.

    Args:
        where: Session, date and turn, in words.
        found: Quotes, and what the sub-agent says they say; either can be "".
        turns: The turn that is quoted and those around it; empty where they are not shown.
    """

    where: str
    found: tuple[tuple[str, str], ...]
    turns: tuple[Said, ...]


def answer_html(answer: Answer, opened: bool = False) -> str:
    """The answer for a notebook.

    Args:
        answer: The answer.
        opened: With the turns that it stands on.
    """
    items, others, left_out = _items(answer, opened)
    return render(
        "answer",
        text=clip(answer.text, _ANSWER),
        error=clip(answer.error, _TEXT),
        items=items,
        others=others,
        opened=_OPEN if opened else 0,
        left_out=left_out,
        false_quotes=_false_quotes(answer.false_quotes) if answer.false_quotes else "",
        coverage=clip(str(answer.coverage), _TEXT) if answer.coverage.asked else "",
        failures=answer.coverage.failures,
        read=answer.read,
        took=_took(answer),
        seconds=_seconds(answer),
    )


def answer_text(answer: Answer) -> str:
    """The answer with the turns it stands on, for a terminal.

    >>> print(answer_text(Answer("Mochi", (Evidence(1, "2023/05/20", 1, "called Mochi", "the cat"),), seconds=0.5)))
    Mochi
    <BLANKLINE>
    session 1 | 2023/05/20 | turn 1
      "called Mochi": the cat
    <BLANKLINE>
    0 calls, 0 tokens, $0 [500 ms]
    """
    items, others, left_out = _items(answer, True)
    lines = [clip(answer.text, _ANSWER), *([f"(ended early: {clip(answer.error, _TEXT)})"] if answer.error else [])]
    for item in items:
        lines += ["", *_lines(item), *map(_line, item.turns)]
    if others:
        lines += ["", "Also found:" if items else "Found:"]
        lines += [f"  {line}" for item in others for line in _lines(item)]
    if left_out:
        lines += ["", f"... and {left_out} more in answer.evidence"]
    lines.append("")
    if answer.false_quotes:
        lines.append(_false_quotes(answer.false_quotes))
    if answer.coverage.asked:
        lines.append(clip(str(answer.coverage), _TEXT))
    if answer.read:
        lines.append(answer.read)
    return "\n".join([*lines, f"{_took(answer)} [{_seconds(answer)}]"])


def show_answer(answer: Answer) -> None:
    """Display the answer with the turns it stands on, in a notebook or a terminal."""
    show(answer_html(answer, opened=True), answer_text(answer))


def _items(answer: Answer, opened: bool) -> tuple[list[Item], list[Item], int]:
    """What the answer stands on, other things that were found, and how many there is no room for."""
    stands_on, others = supporting(answer.text, answer.evidence)
    shown = stands_on[:_ITEMS], others[: _OTHERS if stands_on else _ITEMS]
    calls = answer.trace.calls if opened else ()
    items = [_item(found, calls) for found in _by_turn(shown[0])]
    return items, [_item(found, ()) for found in _by_turn(shown[1])], len(answer.evidence) - sum(map(len, shown))


def _by_turn(evidence: Sequence[Evidence]) -> list[list[Evidence]]:
    """What quotes one turn together; what quotes none stands by itself."""
    places: dict[tuple[int | None, int], list[Evidence]] = {}
    for place, each in enumerate(evidence):
        places.setdefault((each.session, -place if each.turn is None else each.turn), []).append(each)
    return list(places.values())


def _item(found: Sequence[Evidence], calls: Sequence[Call]) -> Item:
    one = found[0]
    place = [f"session {one.session}" if one.session is not None else "a prompt of the code's own"]
    place += [label(one.date)] if one.date else []
    place += [f"turn {one.turn}"] if one.turn is not None else []
    turns = tuple(map(_cut, around(found, calls)))
    roles = {said.role for said in turns if said.quoted}  # shown with the turn: a text that says no more is left out
    texts = ("" if each.text in roles else clip(each.text, _TEXT) for each in found)
    return Item(" | ".join(place), tuple(zip((clip(each.quote, _QUOTE) for each in found), texts, strict=True)), turns)


def _cut(said: Said) -> Said:
    """A turn as there is room for it: of one that is quoted, what stands near the quotes."""
    if not said.quoted:
        return replace(said, parts=((clip(said.parts[0][0], _TURN), False),) if said.parts else ())
    parts = [
        (text if quoted else _near(text, at, len(said.parts)), quoted) for at, (text, quoted) in enumerate(said.parts)
    ]
    return replace(said, parts=tuple((clip(text, _QUOTE), quoted) for text, quoted in parts))


def _near(text: str, at: int, count: int) -> str:
    """What stands between quotes, or the end of it that is next to one."""
    if 0 < at < count - 1 or len(text) <= _SIDE:
        return text
    return f"{text[:_SIDE]} …" if at else f"… {text[-_SIDE:]}"


def _lines(item: Item) -> list[str]:
    quotes = ["  " + ": ".join(filter(None, [quote and f'"{quote}"', text])) for quote, text in item.found]
    return [item.where, *quotes]


def _line(said: Said) -> str:
    content = "".join(f">>{text}<<" if quoted else text for text, quoted in said.parts)
    return f"  {'>' if said.quoted else ' '} [Turn {said.turn}][{said.role}]: {content}".replace("\n", "\n      ")


def _took(answer: Answer) -> str:
    calls, tokens = counted(answer.usage.calls, "call"), counted(answer.usage.total_tokens, "token")
    return f"{calls}, {tokens}, {dollars(answer.cost_usd)}"


def _seconds(answer: Answer) -> str:
    """Wall time, and what of it was not waited for because it was replayed."""
    longer = answer.trace.replayed_seconds
    return duration(answer.seconds) + (
        f", {duration(longer)} more if nothing were replayed" if longer >= 0.0005 else ""
    )


def _false_quotes(number: int) -> str:
    verb = "was" if number == 1 else "were"
    return f"{counted(number, 'quote')} of sub-agents {verb} not in the session, and left out"
