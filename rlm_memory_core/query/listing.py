"""Writes what a model is shown of turns: each on one line, under the headings of their sessions.

A line holds all of a turn, its beginning, or the sentences that match. Because each turn takes one line, no text in the
history can imitate a line of ours. " / " marks the end of a line, and " … " marks omitted text.

A turn that was printed whole is not printed again, and neither is the same excerpt of a turn. Only its number and day
are.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from ..repl.worker import moment
from ..search.find import Found, Hit
from ..store.escaping import escape, label
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .evidence import Evidence

WIDE, OF_USER = (400, 600), (400, 120)
"""How many characters of a user's and of an assistant's turn are shown. A shorter turn is shown whole."""

_REQUEST = r"(?<!\bcan )(?<!\bcould )(?<!\bwould )(?<!\bdo )"  # "can you" asks the assistant to do something now
OF_ASSISTANT = re.compile(
    rf"{_REQUEST}\byour?\b|\b(?:assistant|(?:chat|conversation)s?|recommended|suggested|you (?:could )?remind)\b", re.I
)
"""Matches a question about what the assistant said, whose turns are then shown."""

_NOTE, _HEADING = 0, -1  # instead of a turn's number, for lines that show no turn
_LONG, _OF_LONG = 600, 200  # a turn of more characters is usually pasted text: show only so many of them
_OF_BEST = 1_200  # characters of the assistant's turn that matches a question best
_FEW_WORDS = 12  # up to so many missing words are listed
_BEST, _OF_NEAR = 3, 120  # hits whose nearby turns are listed; characters of each
_BEFORE, _AFTER = 2, 3  # turns shown before and after a turn
_BLOCK = 50  # turns read at once
_LEAD = 60  # characters from the beginning of a turn, to show what it is about
_SIGHT = 20_000  # characters before and after the rarest match that are searched
_LIST = 700  # a list or table of up to so many characters is shown whole
_LARGE, _FOLLOWING = 600, 10  # with more room than so many characters, begin with so many parts from the best match on
_BLOCKS = re.compile(r"(?:[ \t]*(?:\||\d+[.)]\s|[-*•]\s)[^\n]*(?:\n|\Z))+|[^\n]+")
_SENTENCE = re.compile(
    r"(?:\d{1,3}[.)]\s+)?+\S(?:[^.!?…。！？]|[.!?…](?![\"')\]]*\s))*+(?:[。！？]|[.!?…]++[\"')\]]*)?+"
)
_LINE = re.compile(r"[^\n]+")


class Listing:
    """Formats turns of a history. `shown` maps each turn that was shown so far to whether it was shown whole.

    Args:
        store: A snapshot of the history, so that later turns are ignored.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.shown: dict[int, bool] = {}
        self._written: dict[str, tuple[int, bool]] = {}  # for each line, what it shows, and whether that turn is whole
        self._printed: set[str] = set()

    def printed(self, output: str) -> tuple[str, set[int]]:
        """Mark the turns in an output as shown.

        Returns:
            The output for the model, in which one line replaces each run of turns that were shown before, and the
            numbers of the turns that show anything new. The number 0 means a note.
        """
        lines: list[str] = []
        heading: list[str] = []
        again: list[int] = []
        new: set[int] = set()
        for line in output.split("\n"):
            turn, is_whole = self._written.get(line, (None, False))
            if turn == _HEADING:
                heading = [line]
            elif turn and (self.shown.get(turn) or line in self._printed):
                again.append(turn)
            else:
                lines += [*_shown_above(again), *(heading if turn or not again else ()), line]
                heading, again = [], []
                if turn is not None and line not in self._printed:
                    new.add(turn)
                    self._printed.add(line)
                if turn:
                    self.shown[turn] = is_whole
        return "\n".join([*lines, *(_shown_above(again) or heading)]), new

    def shown_turns(self) -> list[Turn]:
        """Return the turns that were shown, in part or whole."""
        return [self.store.turns[number - 1] for number in sorted(self.shown)]

    def lines_of(self, output: str, turns: Collection[int]) -> str:
        """Return those lines of an output that show some turns, under the headings of their sessions."""
        lines: list[str] = []
        heading: list[str] = []
        for line in output.split("\n"):
            turn, _ = self._written.get(line, (None, False))
            if turn == _HEADING:
                heading = [line]
            elif turn in turns:
                lines += [*heading, line]
                heading = []
        return "\n".join(lines)

    def quotes(self, evidence: Iterable[Evidence]) -> str:
        """List quotes like turns, each under the heading of its session."""
        return "\n".join(f"{self.heading(each.session or 0)}\n{each.turn}: {one_line(each.quote)}" for each in evidence)

    def line(self, turn: Turn, text: str, room: int) -> str:
        """Return the line that shows a turn as `text`, which is the whole turn if that fits into `room` characters."""
        line = f"{turn.index} {label(f'{turn.role} {turn.name}'.rstrip())}: {text}"
        self._written[line] = turn.index, len(turn.content) <= room
        return line

    def note(self, text: str) -> str:
        """Return a line that is not a turn, such as a sub-agent's finding."""
        self._written.setdefault(text, (_NOTE, False))
        return text

    def hits(
        self, hits: Sequence[Hit], room: tuple[int, int] = WIDE, best: Hit | None = None, by_date: bool = False,
        with_near: bool = False,
    ) -> list[str]:  # fmt: skip
        """List hits under the headings of their sessions. The session with the first hit comes first.

        More is shown of the `best` hit. If `with_near`, the beginnings of turns near the first hits are listed too.
        """
        groups: dict[int, list[Hit]] = {}
        near = self._near(hits) if with_near else []
        hits = [*hits, *map(Hit, near)]
        for hit in sorted(hits, key=self._time) if by_date else hits:
            groups.setdefault(hit.turn.session, []).append(hit)
        lines = []
        for session, group in groups.items():
            lines.append(self.heading(session))
            for hit in sorted(group, key=lambda hit: hit.turn.index):
                most = _OF_NEAR if hit.turn in near else room[hit.turn.role == "assistant"]
                most = _OF_BEST if hit is best else min(most, _OF_LONG) if len(hit.turn.content) > _LONG else most
                lines.append(self.line(hit.turn, excerpt(hit, most), most))
        return lines

    def _near(self, hits: Sequence[Hit]) -> list[Turn]:
        """Return what the user said just before and after the first hits, unless it was shown.

        People often add what matters a turn later, in other words.
        """
        best = [hit.turn for hit in hits[:_BEST] if hit.turn.role != "assistant"]
        around = {turn.index: turn for each in best for turn in self.session(each.session, each.index)}
        known = {*self.shown, *(hit.turn.index for hit in hits)}
        return [turn for turn in around.values() if turn.role != "assistant" and turn.index not in known]

    def heading(self, session: int) -> str:
        """Return the line above the turns of a session."""
        date = self.date(session)
        heading = f"-- session {session}" + (f", {date}" if date else "")
        self._written[heading] = _HEADING, False
        return heading

    def date(self, session: int) -> str | None:
        """Return the date of a session on one line, or None."""
        ((date,),) = self.store.query("SELECT date FROM sessions WHERE number = ?", (session,))
        return date and label(date)

    def _time(self, hit: Hit) -> tuple[datetime, int]:
        """Return a sort key: the date and time of the hit's session. Hits without a date come first."""
        return moment(self.date(hit.turn.session)) or datetime.min, hit.turn.index

    def session(self, number: int, around: int | None = None) -> Iterator[Turn]:
        """Yield the turns of a session, or only those near the turn `around`. They are read in blocks."""
        sql = "SELECT min(turn_index), max(turn_index) FROM turns WHERE session = ? AND turn_index <= ?"
        first, last = self.store.query(sql, (number, len(self.store)))[0]
        if around is not None:
            first, last = max(first, around - _BEFORE), min(last, around + _AFTER)
        for start in range((first or 1) - 1, last or 0, _BLOCK):
            yield from self.store.turns[start : min(start + _BLOCK, last)]


def _shown_above(turns: Sequence[int]) -> list[str]:
    """Return a list with one line that names some turns, or an empty list if there are none."""
    return [f"shown above: {', '.join(map(str, sorted(set(turns))))}"] if turns else []


def left_out(found: Found) -> str:
    """Return a line that says what was left out; "" if nothing was."""
    many = f"{len(found.nowhere)} of these words" if len(found.nowhere) > _FEW_WORDS else ""
    parts = {
        "more good hits, not shown": str(found.more or ""),
        "nothing good for": ", ".join(map(one_line, found.without)),
        "nowhere in the history": many or ", ".join(map(one_line, found.nowhere)),
    }
    told = "; ".join(f"{what}: {which}" for what, which in parts.items() if which)
    return f"({told})" if told else ""


def one_line(text: str) -> str:
    r"""Return the text on one line.

    >>> one_line("Hi.\n\n12 user:  I moved")
    'Hi. / 12 user: I moved'
    """
    return escape(" / ".join(filter(None, (" ".join(line.split()) for line in text.splitlines()))))


def first_words(text: str, room: int) -> str:
    """Return the words at the beginning of a text that fit into `room` characters.

    >>> first_words("one two three", 9)
    'one two …'
    """
    return one_line(text) if len(text) <= room else f"{one_line(_whole_words(text, room))} …"


def head(text: str, room: int, hint: str = "") -> str:
    """Return the beginning of a text and the number of characters that follow. A text that fits is returned whole.

    >>> head("one two three", 9)
    'one two … (+6 characters)'
    """
    left = len(text) - len(_whole_words(text, room))
    return first_words(text, room) + (f" (+{left:,} characters{hint})" if len(text) > room else "")


def excerpt(hit: Hit, room: int) -> str:
    """Return a short turn whole. For a long one, return its beginning and the sentences that match best.

    The remaining room is filled with nearby sentences, statements before questions. Short lists and tables are not cut.
    A row of a long table comes with the table's header.
    """
    content = hit.turn.content
    if len(content) <= room:
        return one_line(content)
    rarest, _, _ = max(hit.matches, key=lambda match: match[2], default=(0, 0, 0.0))
    first, last = max(rarest - _SIGHT, 0), rarest + _SIGHT
    parts = _parts(content, first, last, room)
    starts = [start for start, _, _ in parts]
    held: dict[int, set[float]] = {} if hit.matches else {0: set()}
    for start, _, weight in hit.matches:
        if first <= start < last:
            held.setdefault(max(bisect_right(starts, start) - 1, 0), set()).add(weight)
    matching = sorted(held, key=lambda at: (-sum(held[at]), at))
    best = matching[0]
    near = [at for at in range(max(best - 20, 0), min(best + 20, len(parts))) if at not in held]
    near.sort(key=lambda at: (content[slice(*parts[at][:2])].endswith(("?", "？")), abs(at - best)))
    chosen: set[int] = set()
    follows = range(best, min(best + _FOLLOWING, len(parts)) if room > _LARGE else best)
    for at in dict.fromkeys([*follows, *matching, *near]):
        start, end, header = parts[at]
        if not chosen or end - start <= room:
            chosen |= {at, header}
            room -= end - start
    spans = [(0, len(_whole_words(content, _LEAD)))]
    for start, end, _ in map(parts.__getitem__, sorted(chosen)):
        if content[spans[-1][1] : start].strip():
            spans.append((start, end))
        else:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
    more = " …" if content[spans[-1][1] :].strip() else ""
    return " … ".join(one_line(content[start:end]) for start, end in spans) + more


def _parts(content: str, first: int, last: int, room: int) -> list[tuple[int, int, int]]:
    """Split content into sentences, short lists and lines of long lists. A part longer than `room` is split further.

    Each part has a start, an end, and the index of its table's header. Outside tables, that is its own index.
    """
    parts: list[tuple[int, int, int]] = []
    piece = re.compile(rf"\S(?:.{{0,{room - 1}}}(?!\S)|.{{0,{room - 1}}})", re.S)
    for block in _BLOCKS.finditer(content, first, last):
        is_list = "\n" in block[0].rstrip("\n")
        if is_list and len(block[0]) <= min(_LIST, 3 * room):
            parts.append((*block.span(), len(parts)))
            continue
        header = len(parts) if is_list and block[0].lstrip().startswith("|") else None
        for found in (_LINE if is_list else _SENTENCE).finditer(content, *block.span()):
            for part in [found] if len(found[0]) <= room else piece.finditer(content, *found.span()):
                parts.append((*part.span(), len(parts) if header is None else header))
    return parts or [(first, last, 0)]


def _whole_words(text: str, room: int) -> str:
    """Cut a text at a word boundary, after at most `room` characters."""
    return re.sub(r"\s\S{0,30}\Z", "", text[:room]).rstrip()
