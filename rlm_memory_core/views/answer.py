"""An answer as it is shown: what it says, what it stands on, what was read, what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..answer import Answer, Evidence
from ..escaping import label
from ..pages import clip, counted, dollars, duration, render, show
from .context import Said, around

_ITEMS = 20  # pieces of evidence
_OPEN = 5  # of them opened in place, if there are no more
_ANSWER, _QUOTE, _TEXT, _TURN, _SIDE = 6_000, 1_000, 600, 500, 300  # characters


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of evidence as it is shown.

    Args:
        where: Session, date and turn, in words.
        quote: The words of the turn.
        text: What the sub-agent says they say.
        turns: The turn that is quoted and those around it; empty where they are not shown.
    """

    where: str
    quote: str
    text: str
    turns: tuple[Said, ...]


def answer_html(answer: Answer, opened: bool = False) -> str:
    """The answer for a notebook.

    Args:
        answer: The answer.
        opened: With the turns that it stands on.
    """
    items = _items(answer, opened)
    return render(
        "answer",
        text=clip(answer.text, _ANSWER),
        error=clip(answer.error, _TEXT),
        items=items,
        opened=opened and len(items) <= _OPEN,
        left_out=len(answer.evidence) - len(items),
        false_quotes=_false_quotes(answer.false_quotes) if answer.false_quotes else "",
        coverage=clip(str(answer.coverage), _TEXT) if answer.coverage.asked else "",
        failures=answer.coverage.failures,
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
    items = _items(answer, True)
    lines = [clip(answer.text, _ANSWER), *([f"(ended early: {clip(answer.error, _TEXT)})"] if answer.error else [])]
    for item in items:
        lines += ["", item.where, "  " + ": ".join([*([f'"{item.quote}"'] if item.quote else []), item.text])]
        lines += [_line(said) for said in item.turns]
    if len(answer.evidence) > len(items):
        lines += ["", f"... and {len(answer.evidence) - len(items)} more in answer.evidence"]
    lines.append("")
    if answer.false_quotes:
        lines.append(_false_quotes(answer.false_quotes))
    if answer.coverage.asked:
        lines.append(clip(str(answer.coverage), _TEXT))
    return "\n".join([*lines, f"{_took(answer)} [{_seconds(answer)}]"])


def show_answer(answer: Answer) -> None:
    """Display the answer with the turns it stands on, in a notebook or a terminal."""
    show(answer_html(answer, opened=True), answer_text(answer))


def _items(answer: Answer, opened: bool) -> list[Item]:
    calls = answer.trace.calls if opened else ()
    return [_item(evidence, around(evidence, calls)) for evidence in answer.evidence[:_ITEMS]]


def _item(evidence: Evidence, turns: Sequence[Said]) -> Item:
    place = [f"session {evidence.session}" if evidence.session is not None else "a prompt of the code's own"]
    place += [label(evidence.date)] if evidence.date else []
    place += [f"turn {evidence.turn}"] if evidence.turn is not None else []
    quote, text = clip(evidence.quote, _QUOTE), clip(evidence.text, _TEXT)
    return Item(" | ".join(place), quote, text, tuple(map(_cut, turns)))


def _cut(said: Said) -> Said:
    """A turn as there is room for it: of the one that is quoted, what stands near the quote."""
    if not said.quote:
        return replace(said, before=clip(said.before, _TURN))
    before, after = clip(said.before[-_SIDE:], _SIDE), clip(said.after[:_SIDE], _SIDE)
    return Said(
        said.turn,
        said.role,
        f"… {before}" if len(said.before) > _SIDE else before,
        clip(said.quote, _QUOTE),
        f"{after} …" if len(said.after) > _SIDE else after,
    )


def _line(said: Said) -> str:
    mark = ">" if said.quote else " "
    quote = f">>{said.quote}<<" if said.quote else ""
    return f"  {mark} [Turn {said.turn}][{said.role}]: {said.before}{quote}{said.after}".replace("\n", "\n      ")


def _took(answer: Answer) -> str:
    calls, tokens = counted(answer.usage.calls, "call"), counted(answer.usage.total_tokens, "token")
    return f"{calls}, {tokens}, {dollars(answer.cost_usd)}"


def _seconds(answer: Answer) -> str:
    """Wall time, and what of it was not waited for because it was replayed."""
    longer = answer.trace.replayed_seconds
    return duration(answer.seconds) + (f", {duration(longer)} more if nothing were replayed" if longer else "")


def _false_quotes(number: int) -> str:
    verb = "was" if number == 1 else "were"
    return f"{counted(number, 'quote')} of sub-agents {verb} not in the session, and left out"
