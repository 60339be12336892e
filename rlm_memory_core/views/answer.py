"""Shows an answer: its text, the evidence that supports it, what was read, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..models.llm import OFFLINE_LABEL
from ..query.answer import Answer
from ..query.evidence import Call, Evidence, supporting
from ..store.escaping import label
from ..store.memory_store import MemoryStore
from .context import ShownTurn, around
from .rendering import clip, counted, dollars, duration, render, show

_ITEMS, _OTHERS = 20, 10  # maximum supporting evidence (or evidence of any kind, if none supports); maximum others
_OPEN = 5  # the turns of the first so many pieces of evidence are unfolded
_OFFLINE = "The offline reader only quotes passages with words of the question"
_ANOTHER = 'model="gpt-4o-mini"'
_PLAIN = ("model", "error", "false_quotes", "sessions", "cost_usd", "seconds")  # copied to the JSON unchanged
_EVIDENCE = ("session", "date", "turn", "quote", "text")
_COVERAGE = ("asked", "found", "not_found", "failed", "cut", "copies")
_ANSWER, _QUOTE, _TEXT, _TURN, _SIDE = 6_000, 1_000, 600, 500, 300  # maximum characters


@dataclass(frozen=True, slots=True)
class Item:
    """Evidence from one turn, or from a session without a quote.

    Args:
        place: The session, date and turn in words.
        found: Pairs of a quote and the sub-agent's words about it. Either can be "".
        turns: The quoted turn and its neighbours; empty if they are not shown.
    """

    place: str
    found: tuple[tuple[str, str], ...]
    turns: tuple[ShownTurn, ...]


def answer_html(answer: Answer, opened: bool = False, store: MemoryStore | None = None) -> str:
    """Return the answer as HTML for a notebook.

    Args:
        answer: The answer.
        opened: Whether to show the turns that support it.
        store: The history, to find these turns. Without it, they are taken from the texts that sub-agents read.
    """
    items, others, left_out = _items(answer, opened, store)
    return render(
        "answer",
        text=clip(answer.text, _ANSWER),
        error=clip(answer.error, _TEXT),
        items=items,
        others=others,
        left_out=left_out,
        opened=_OPEN if opened else 0,
        failures=answer.coverage.failures,
        notes=_notes(answer),
        price=_price(answer),
        time=_time(answer),
    )


def answer_text(
    answer: Answer, opened: bool = True, all_in: str = "in answer.evidence", another: str = _ANOTHER,
    store: MemoryStore | None = None,
) -> str:  # fmt: skip
    """Return the answer with its evidence as text for a terminal.

    Args:
        answer: The answer.
        opened: Whether to show the turns that support it.
        all_in: Where the user can find evidence that is left out.
        another: The argument that selects a model instead of the offline reader.
        store: See `answer_html`.

    >>> print(answer_text(Answer("Mochi", (Evidence(1, "2023/05/20", 1, "called Mochi", "the cat"),), seconds=0.5)))
    Mochi
    <BLANKLINE>
    session 1 | 2023/05/20 | turn 1
      "called Mochi": the cat
    <BLANKLINE>
    0 calls, 0 tokens, $0 [500 ms]
    """
    items, others, left_out = _items(answer, True, store)
    lines = [clip(answer.text, _ANSWER)]
    if answer.error:
        lines.append(f"(ended early: {clip(answer.error, _TEXT)})")
    for item in items:
        lines += ["", *_lines(item), *map(_turn_line, item.turns if opened else ())]
    if others:
        lines += ["", "Also found:" if items else "Found:"]
        lines += [f"  {line}" for item in others for line in _lines(item)]
    if left_out:
        lines += ["", f"... and {left_out} more {all_in}"]
    notes = _notes(answer, another)
    reader = notes.pop("reader")
    last = (*notes.values(), f"{_price(answer)} [{_time(answer)}]", reader)
    return "\n".join([*lines, "", *filter(None, last)])


def answer_json(answer: Answer) -> dict[str, Any]:
    """Return the answer as a JSON object, without its trace.

    >>> answer_json(Answer("Mochi", model="m"))["answer"]
    'Mochi'
    """
    usage, trace = answer.usage, answer.trace
    calls = [*(step.recorded for step in trace.steps), *(call.recorded for call in trace.calls)]
    return {
        **{name: getattr(answer, name) for name in _PLAIN},
        "answer": answer.text,
        "evidence": [{name: getattr(each, name) for name in _EVIDENCE} for each in answer.evidence],
        "coverage": {name: getattr(answer.coverage, name) for name in _COVERAGE},
        "sessions_read": len(answer.sessions_read),
        **{name: getattr(usage, name) for name in ("calls", "prompt_tokens", "completion_tokens")},
        "replayed_calls": sum(calls),
    }


def show_answer(answer: Answer, store: MemoryStore | None = None) -> None:
    """Display the answer with its supporting turns, in a notebook or a terminal."""
    show(answer_html(answer, opened=True, store=store), answer_text(answer, store=store))


def _items(answer: Answer, opened: bool, store: MemoryStore | None) -> tuple[list[Item], list[Item], int]:
    """Return the supporting evidence, the other evidence, and how many pieces are left out."""
    support, others = supporting(answer.text, answer.evidence)
    support, others = support[:_ITEMS], others[: _OTHERS if support else _ITEMS]
    calls = answer.trace.calls if opened else ()
    items = [_item(found, calls, store) for found in _by_turn(support)]
    left_out = len(answer.evidence) - len(support) - len(others)
    return items, [_item(found, ()) for found in _by_turn(others)], left_out


def _by_turn(evidence: Sequence[Evidence]) -> list[list[Evidence]]:
    """Group evidence by turn. Each piece without a turn forms its own group."""
    groups: dict[tuple[int | None, int], list[Evidence]] = {}
    for place, each in enumerate(evidence):
        groups.setdefault((each.session, -place if each.turn is None else each.turn), []).append(each)
    return list(groups.values())


def _item(found: Sequence[Evidence], calls: Sequence[Call], store: MemoryStore | None = None) -> Item:
    one = found[0]
    place = [f"session {one.session}" if one.session is not None else "a prompt of the code's own"]
    place += [label(one.date)] if one.date else []
    place += [f"turn {one.turn}"] if one.turn is not None else []
    turns = tuple(map(_clipped, around(found, calls, store)))
    roles = {turn.role for turn in turns if turn.quoted}  # a text that only repeats the role is left out
    pairs = ((clip(each.quote, _QUOTE), "" if each.text in roles else clip(each.text, _TEXT)) for each in found)
    return Item(" | ".join(place), tuple(pairs), turns)


def _clipped(turn: ShownTurn) -> ShownTurn:
    """Shorten a turn for display. A quoted turn keeps the text near its quotes."""
    if not turn.quoted:
        return replace(turn, parts=tuple((clip(text, _TURN), False) for text, _ in turn.parts))
    last = len(turn.parts) - 1
    parts = []
    for place, (text, quoted) in enumerate(turn.parts):
        if not quoted and len(text) > _SIDE and place in (0, last):
            text = f"{text[:_SIDE]} …" if place else f"… {text[-_SIDE:]}"
        parts.append((clip(text, _QUOTE), quoted))
    return replace(turn, parts=tuple(parts))


def _lines(item: Item) -> list[str]:
    pairs = ((f'"{quote}"' if quote else "", text) for quote, text in item.found)
    return [item.place, *("  " + ": ".join(filter(None, pair)) for pair in pairs)]


def _turn_line(turn: ShownTurn) -> str:
    content = "".join(f">>{text}<<" if quoted else text for text, quoted in turn.parts)
    return f"  {'>' if turn.quoted else ' '} [Turn {turn.turn}][{turn.role}]: {content}".replace("\n", "\n      ")


def _notes(answer: Answer, another: str = _ANOTHER) -> dict[str, str]:
    """Return notes on dropped quotes, sub-agents, what was read, and the offline reader; "" if one does not apply."""
    verb = "was" if answer.false_quotes == 1 else "were"
    dropped = f"{counted(answer.false_quotes, 'quote')} of sub-agents {verb} not in the session, and left out"
    return {
        "false_quotes": dropped if answer.false_quotes else "",
        "coverage": clip(str(answer.coverage), _TEXT) if answer.coverage.asked else "",
        "read": answer.read,
        "reader": f"{_OFFLINE}; to ask a model, give {another}" if answer.model == OFFLINE_LABEL else "",
    }


def _price(answer: Answer) -> str:
    calls, tokens = counted(answer.usage.calls, "call"), counted(answer.usage.total_tokens, "token")
    by = f"{label(answer.model)}: " if answer.model else ""
    return f"{by}{calls}, {tokens}, {dollars(answer.cost_usd)}"


def _time(answer: Answer) -> str:
    """Return the wall time, and how much longer the query would have taken without replayed calls."""
    saved = answer.trace.replayed_seconds
    return duration(answer.seconds) + (f", {duration(saved)} more if nothing were replayed" if saved >= 0.0005 else "")
