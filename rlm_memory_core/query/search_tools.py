"""The free tools of the search reading. The root model's code calls them to search a history.

Every tool returns text. `listing` formats it, each turn on one line, so that no text in the history can imitate a line
of ours.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import accumulate
from typing import Any

from ..models.budget import Budget
from ..models.types import UNKNOWN
from ..repl.date_functions import parse_date
from ..repl.values import listed
from ..search.find import MOST_PROBES, Filters, Found, find_turns, linked_turns, turns_with
from ..search.semantic import Embedder, similar_turns
from ..search.word_index import PIECES, take_in_new_turns
from ..search.words import content_words
from ..store.dates import parse_date as read_date
from ..store.escaping import label
from ..store.memory_store import MemoryStore
from ..store.time_limit import in_search_thread
from ..store.turns import Turn
from .evidence import CITED, Evidence, look_up
from .listing import OF_ASSISTANT, OF_USER, WIDE, Listing, first_words, head, left_out, one_line

_PASTED, _AROUND = 800, 12_000  # characters that `look` shows of a user's turn, and of the turn given as `around`
_OF_REPLY, _REST = 300, 100  # characters that `look` shows of an assistant's turn; a shorter rest is not cut off
_PRINTED, _OF_TIMELINE, _MOST_NAMED = 16_000, 4_000, 500  # characters of `look`, of `timeline`; turns it looks up
_COMMON = 20  # `timeline` leaves out a name that is in more turns if another name is rarer
_NEWEST = 20  # turns that `timeline` names if it is cut
_TOPICS, _TOPIC, _ON_TOPIC = 60, 56, 0.1  # maximum topics; characters of each; maximum share of words said before
_MOST_DATES = 20_000  # in `session_dates`
_LEAST = 0.5  # a hit must have at least this share of one probe's weight
LINKED = 2  # turns that share names or rare words with the hits
_PREFIX = re.compile(r"^\s*\d+ \w+: ")


class SearchTools:
    """The free tools of one query.

    Args:
        store: The history. Turns that are added during the query are ignored.
        question, question_date: The question, and the day on which it is asked, or None.
        embedder: Makes searches find turns with a similar meaning too, and rank them higher; or None.
        budget: For the embedder's calls, or None.

    `cited` contains the evidence so far, and `false_quotes` an error for each citation that is not in its turn.
    """

    def __init__(
        self, store: MemoryStore, question: str, question_date: str | None, embedder: Embedder | None = None,
        budget: Budget | None = None,
    ) -> None:  # fmt: skip
        self.store = store.snapshot()
        self.listing = Listing(self.store)
        self.question, self.question_date, self.embedder, self.budget = question, question_date, embedder, budget
        self.cited: list[Evidence] = []
        self.false_quotes: list[str] = []

    async def find(
        self, *probes: str, role: str | None = None, after: str | None = None, before: str | None = None,
        limit: int = 12, order: str = "relevance",
    ) -> str:  # fmt: skip
        """Search single turns for a few short probes at once. Only the first dozen probes are used.

        Besides up to `limit` hits, the result has turns linked to them or near them. Without a `role`, the assistant's
        turns are searched if the question is about what it said, or if no other turn matches.

        Raises:
            TypeError: There is no probe, or one is not a string.
            ValueError: The order or the limit is invalid, or a date cannot be read.
        """
        if order not in ("relevance", "date"):
            raise ValueError(f'order is "relevance" or "date", not {order!r}')
        if not isinstance(limit, int) or not 1 <= limit <= 100:
            raise ValueError(f"limit is a whole number from 1 to 100, not {limit!r}")
        of_assistant = bool(OF_ASSISTANT.search(self.question))
        but = "assistant" if role is None and self.question and not of_assistant else None
        filters = Filters(role, _day("after", after), _day("before", before), but)
        first, further = _texts("find", probes)[:MOST_PROBES], probes[MOST_PROBES:]
        found = await self.found(first, filters, limit)
        of_theirs: list[str] = []  # what only the assistant said
        if but and not found.hits:
            filters = replace(filters, but=None)
            found = await self.found(first, filters, limit)
        elif but and found.without:
            theirs = await self.found(found.without, replace(filters, role=but, but=None), limit)
            of_theirs = [probe for probe in found.without if probe not in theirs.without]
            found = replace(found, without=theirs.without)
        room = WIDE if role == "assistant" or of_assistant else OF_USER
        linked = await in_search_thread(linked_turns)(self.store, found.hits, filters, LINKED)
        hits = [*found.hits, *(hit for hit in linked if hit.turn.index not in self.listing.shown)]
        listed = in_search_thread(self.listing.hits)(hits, room, by_date=order == "date", with_near=True)
        lines = await listed or ["no good hit"]
        left = ", ".join(map(one_line, further))
        lines += [f"(only the assistant said: {', '.join(map(one_line, of_theirs))})" if of_theirs else ""]
        lines += [left_out(found), f"(only {MOST_PROBES} probes at once; left out: {left})" if left else ""]
        return "\n".join(filter(None, lines))

    def timeline(self, *names: str, after: str | None = None, before: str | None = None) -> str:
        """List everything that the user said with a word or a name, by date.

        Raises:
            TypeError: There is no name, or one is not a string.
            ValueError: A date cannot be read.
        """
        filters = Filters(None, _day("after", after), _day("before", before), but="assistant")
        found = {name: turns_with(self.store, name, filters, _MOST_NAMED) for name in _texts("timeline", names)}
        rarest = min(map(len, filter(None, found.values())), default=0)
        common = [name for name, hits in found.items() if len(hits) > max(_COMMON, rarest)]
        named = sorted((name for name in found if name not in common), key=lambda name: -len(found[name]))
        hits = list({hit.turn.index: hit for name in named for hit in found[name]}.values())
        lines = self.listing.hits(hits, by_date=True)
        shown = sum(total <= _OF_TIMELINE for total in accumulate(map(len, lines)))
        if shown < len(lines):
            last = [hit.turn.index for hit in hits[-_NEWEST:]]
            lines[shown:] = [f"(cut here, of {len(hits)} turns; the newest: {', '.join(map(str, last))})"]
        never = ", ".join(one_line(name) for name in found if not found[name])
        often = ", ".join(f"{name!r}, {len(found[name])} turns" for name in common)
        lines += [f"(never said: {never})"] if never and lines else []
        lines += [f"(too common, left out: {often})"] if often else []
        where = " between these days" if after or before else ""
        return "\n".join(lines) or f"the user never says {' or '.join(map(repr, names))}{where}"

    def look(
        self, sessions: int | Sequence[int] | None = None, role: str | None = None, long: int | None = None,
        around: int | Sequence[int] | None = None,
    ) -> str:  # fmt: skip
        """List whole sessions, or the turns near some turns. Without either, list how each topic begins.

        The user's turns are shown whole unless they are pasted texts. The assistant's are cut to `long` characters. By
        default they are left out, unless `role` asks for them.

        Raises:
            TypeError: The sessions or turns are not a list of numbers.
            ValueError: There is no such session or turn.
        """
        if sessions is None and around is None:
            turns = sorted(self.topics(_TOPICS), key=lambda turn: turn.index)
            begun = [self.listing.line(turn, first_words(turn.content, _TOPIC), _TOPIC) for turn in turns]
            return "\n".join(["(those of the newest sessions)", *begun] if len(begun) == _TOPICS else begun)
        if long is None:
            long = _OF_REPLY if role == "assistant" else 0
        given, what = (sessions, "session numbers") if around is None else (around, "turn numbers")
        numbers = [given] if isinstance(given, int) else listed("look", given, what)
        replies = 1 if OF_ASSISTANT.search(self.question) else 0  # then the turn after it may be what was asked for
        lines: list[str] = []
        for number in numbers:
            wanted = None if around is None else self.turn(number)
            session = self.session(number) if wanted is None else wanted.session
            lines.append(self.listing.heading(session))
            for turn in self.listing.session(session, wanted.index if wanted else None):
                near = wanted is not None and wanted.index <= turn.index <= wanted.index + replies
                spoken = turn.role != "assistant"
                if role not in (None, turn.role) or not (spoken or long > 0 or near):
                    continue
                if sum(map(len, lines)) > _PRINTED:
                    return "\n".join([*lines, f"(cut here: look(around={turn.index}) shows more)"])
                room = max(long // 3 if wanted else long, _AROUND if near else _PASTED if spoken else 0)
                if len(turn.content) <= room + _REST:
                    room = len(turn.content)
                hint = f": look(around={turn.index}) shows it whole" if spoken and not near else ""
                lines.append(self.listing.line(turn, head(turn.content, room, hint), room))
        return "\n".join(lines)

    def topics(self, most: int, after: int | None = None, before: int | None = None) -> list[Turn]:
        """Return the user's newest turns that begin a topic, with hardly any words said before in their session."""
        take_in_new_turns(self.store)
        sql = f"""SELECT DISTINCT session FROM {PIECES} WHERE first_turn <= ? AND (day >= ? OR ? IS NULL)
            AND (day <= ? OR ? IS NULL) ORDER BY session DESC LIMIT ?"""
        begun: list[Turn] = []
        for (number,) in self.store.query(sql, (len(self.store), after, after, before, before, most)):
            said: set[str] = set()
            for turn in self.listing.session(number):
                words = set(content_words(turn.content[:_AROUND]))
                if turn.role != "assistant" and len(words & said) <= _ON_TOPIC * len(words):
                    begun.append(turn)
                if len(begun) == most:
                    return begun
                said |= words
        return begun

    def cite(self, turn: Any, quote: Any = None, *more: Any) -> str:
        """Record evidence: a turn and words from it. More words of that turn and more turns may follow.

        Raises:
            ValueError: The words are not in that turn. The message shows what the turn says.
        """
        given = turn if quote is None and isinstance(turn, list) else [turn, quote, *more]
        parts = iter([part for each in given for part in (each if isinstance(each, (list, tuple)) else [each])])
        pairs: list[tuple[Turn, str]] = []
        for part in parts:
            says_more = pairs and isinstance(part, str)
            cited, words = (pairs[-1][0], part) if says_more else (self.turn(part), next(parts, None))
            if words is None:
                raise ValueError('cite takes turns and their words: cite(12, "exact words", 15, "other words")')
            pairs.append((cited, _PREFIX.sub("", str(words))))
        for pair in pairs:
            self._cite(*pair)
        return f"{CITED} {', '.join(dict.fromkeys(str(cited.index) for cited, _ in pairs))}"

    def session_dates(self) -> dict[int, str | None]:
        """Return the dates of the sessions by number. Of very many sessions, only the newest are included."""
        sql = "SELECT number, date FROM sessions WHERE number <= ? ORDER BY number DESC LIMIT ?"
        rows = self.store.query(sql, (len(self.store.sessions), _MOST_DATES))
        return {number: date and label(date) for number, date in reversed(rows)}

    def session(self, number: Any) -> int:
        """Check a session's number and return it. -1 is the last session.

        Raises:
            ValueError: There is no such session.
        """
        return _numbered("session", number, len(self.store.sessions))

    def turn(self, number: Any) -> Turn:
        """Return the turn with a number. -1 is the last turn.

        Raises:
            ValueError: There is no such turn.
        """
        return self.store.turns[_numbered("turn", number, len(self.store)) - 1]

    def to_check(self, turns: Collection[int], answer: str = "") -> list[int]:
        """Return those of some newly shown turns that may change the answer given beside them.

        A text that the user pasted does not change a known answer.
        """
        cited, of_assistant = {each.turn for each in self.cited}, OF_ASSISTANT.search(self.question)
        new = [turn for turn in map(self.turn, sorted(set(turns) - cited)) if turn.role != "assistant" or of_assistant]
        return [turn.index for turn in new if answer.startswith(UNKNOWN) or len(turn.content) <= _PASTED]

    def _cite(self, turn: Turn, words: str) -> None:
        claim = Evidence(turn.session, self.listing.date(turn.session), turn.index, words)
        evidence = look_up(claim, [turn])
        if evidence is None:
            elsewhere = look_up(claim, self.listing.shown_turns())
            hint = f"turn {elsewhere.turn} does" if elsewhere else f"it says: {head(turn.content, 300)}"
            self.false_quotes.append(f"turn {turn.index} does not say {words[:200]!r}; {hint}")
            raise ValueError(self.false_quotes[-1])
        if evidence not in self.cited:
            self.cited.append(evidence)

    async def found(
        self, probes: Sequence[str], filters: Filters, limit: int, per_session: int = 3, sessions: Sequence[int] = (),
        least: float = _LEAST,
    ) -> Found:  # fmt: skip
        """Return what a search finds, by meaning too if there is an embedder. It prefers turns of these `sessions`."""
        text = " ".join(probes)
        near = await similar_turns(self.store, text, self.embedder, limit, self.budget) if self.embedder else []
        alike = [turn for turn, *_ in near]
        return await in_search_thread(find_turns)(
            self.store, probes, filters, limit, per_session, sessions, alike, least
        )


def _numbered(what: str, number: Any, count: int) -> int:
    """Check a number from 1 to `count` and return it. Negative numbers count from the end."""
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < abs(number) <= count:
        raise ValueError(f"there is no {what} {number!r}: they go from 1 to {count}")
    return number if number > 0 else count + 1 + number


def dated(text: Any) -> str | None:
    """Return the first full date in a text, with its weekday. None if the text has no full date.

    >>> dated("20 May 2023")
    '2023-05-20 Sat'
    """
    day = parse_date(text)
    return day and f"{day} {datetime.fromisoformat(day):%a}"


def _day(name: str, text: Any) -> int | None:
    """Return the date of a search filter as an ordinal."""
    day = read_date(str(text))
    if text is not None and day is None:
        raise ValueError(f"{name} is a date such as 2023-05-20, not {text!r}")
    return None if day is None else day.toordinal()


def _texts(function: str, probes: Sequence[Any]) -> Sequence[str]:
    if not probes or not all(isinstance(probe, str) for probe in probes):
        raise TypeError(f'{function} takes texts, such as {function}("cat", "kitten")')
    return probes
