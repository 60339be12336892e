"""Histories of any length with facts hidden in them: generated, not LongMemEval-M.

They stand in for LongMemEval-M (about 500 sessions a question), a file of 2.7 GB that few have at hand, and go on to
where no benchmark goes, 5,000 sessions: for what a query costs against the length of the history. What they are: dated
sessions of everyday talk (`everyday`), made from a seed, in which a few sentences hold facts, updates of facts, events
to count and events to date; the questions and their answers are known by construction. What they are not: real
conversations. Their sentences repeat themselves, a session is about half as long as LongMemEval's, and every fact
stands in one plain sentence of the user's. An accuracy on them says little; tokens, sessions read and whether the
evidence was among them say more.

A history is shared by all its questions. The same seed hides the same facts at every length.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rlm_memory_core.query.prompts import UNKNOWN

from . import synthetic
from .everyday import talk
from ..types import ChatSession, ChatTurn, Sample

TYPES = ("single-session-user", "knowledge-update", "multi-session", "temporal-reasoning", "abstention")
MOST = 5
"""Questions of one type over one history: so many templates does every type have, and none is used twice."""

PREFIX = "long-"
"""Of the ids."""

_EXCHANGES = (4, 8)  # of a session
_HOURS = (6, 30)  # from one session to the next
_START = datetime(2015, 3, 2, 8, 30)

# What is bought or done again and again, and what each time is called: events to be counted.
_COUNTED = (
    ("I bought a teapot today, {}.", "How many teapots have I bought?"),
    ("I finished a jigsaw puzzle today, {}.", "How many jigsaw puzzles have I finished?"),
    ("I gave away a house plant today, {}.", "How many house plants have I given away?"),
    ("I repaired a wooden chair today, {}.", "How many wooden chairs have I repaired?"),
    ("I won a board game tonight, {}.", "How many board games have I won?"),
)
_EACH = ("a small one", "the largest so far", "rather an odd one", "and it took me all day", "to my own surprise")

# Two things that happen on days of their own.
_EVENTS = (
    ("started to learn the cello", "sold my old cello"),
    ("ordered the new sofa", "carried the new sofa upstairs"),
    ("signed up for the half marathon", "ran the half marathon"),
    ("planted the cherry tree", "picked the first cherries"),
    ("sent off my application to the academy", "heard back from the academy"),
)


class _Needle(NamedTuple):
    """What is asked, and the sentences that hold the answer, oldest first; with `dated` the answer is the days between
    the two of them."""

    kind: str
    question: str
    answer: str
    told: tuple[str, ...]
    dated: bool = False


def load(
    sessions: int = 500, n_per_type: int = 2, seed: int = 42, types: Sequence[str] | None = None, histories: int = 1
) -> list[Sample]:
    """The questions over generated histories.

    Args:
        sessions: Of each history.
        n_per_type: Questions of each type over each history, at most `MOST`.
        seed: Of the first history; the next ones take the seeds after it.
        types: Some of `TYPES`, in the order wanted; None for all.
        histories: How many.

    Raises:
        ValueError: A number is out of range, a type is none of `TYPES`, or a history has too few sessions for its
            facts, of which each has a session of its own.

    Example:
        >>> sample = load(sessions=50, n_per_type=1, types=["knowledge-update"])[0]
        >>> sample.id, len(sample.sessions), len(sample.evidence)
        ('long-50-42-knowledge-update-1', 50, 2)
    """
    chosen = TYPES if types is None else tuple(types)
    unknown = [kind for kind in chosen if kind not in TYPES]
    if unknown or not chosen:
        raise ValueError(f"no such type: {', '.join(unknown) or '(none given)'}; there are {', '.join(TYPES)}")
    if not 1 <= n_per_type <= MOST or histories < 1:
        raise ValueError(f"n_per_type must be 1 to {MOST} and histories at least 1, not {n_per_type} and {histories}")
    return [one for each in range(seed, seed + histories) for one in _samples(sessions, n_per_type, each, chosen)]


def _samples(sessions: int, n_per_type: int, seed: int, types: Sequence[str]) -> list[Sample]:
    needles = [needle for kind in types for needle in _needles(kind, random.Random(f"{seed} {kind}"))[:n_per_type]]
    wanted = sum(len(needle.told) for needle in needles)
    if sessions < max(wanted, 1):
        raise ValueError(f"{sessions} sessions cannot hold {wanted} facts in sessions of their own; ask for more")
    rng = random.Random(f"{seed} places of {sessions}")
    free = rng.sample(range(sessions), wanted)
    places = []
    for needle in needles:
        places.append(sorted(free[: len(needle.told)]))
        free = free[len(needle.told) :]
    told = {
        at: said for needle, own in zip(needles, places, strict=True) for at, said in zip(own, needle.told, strict=True)
    }
    history, days = _history(sessions, told, rng)
    asked_on = _written(days[-1] + timedelta(days=1))
    numbers: dict[str, int] = {}
    samples = []
    for needle, own in zip(needles, places, strict=True):
        numbers[needle.kind] = numbers.get(needle.kind, 0) + 1
        days_between = (days[own[-1]].date() - days[own[0]].date()).days if needle.dated else 0
        samples.append(
            Sample(
                id=f"{PREFIX}{sessions}-{seed}-{needle.kind}-{numbers[needle.kind]}",
                kind=needle.kind,
                question=needle.question,
                answer=needle.answer.format(days=days_between),
                sessions=history,
                question_date=asked_on,
                abstain=needle.kind == "abstention",
                evidence=tuple(own),
            )
        )
    return samples


def _needles(kind: str, rng: random.Random) -> list[_Needle]:
    """As many as there are templates, in an order of the seed's."""
    if kind == "single-session-user":
        facts = [(told, asked, rng.choice(values)) for told, asked, values in synthetic.FACTS]
        found = [_Needle(kind, asked, value, (told.format(value),)) for told, asked, value in facts]
    elif kind == "knowledge-update":
        found = []
        for first, later, asked, values in synthetic.UPDATES:
            old, new = rng.sample(values, 2)
            found.append(_Needle(kind, asked, new, (first.format(old), later.format(new))))
    elif kind == "multi-session":
        found = []
        for told, asked in _COUNTED:
            each = rng.sample(_EACH, rng.randint(2, 4))
            found.append(_Needle(kind, asked, str(len(each)), tuple(map(told.format, each))))
    elif kind == "temporal-reasoning":
        asked = "How many days passed between the day when I {} and the day when I {}?"
        found = [
            _Needle(kind, asked.format(*pair), "{days}", tuple(f"I {event} today." for event in pair), dated=True)
            for pair in _EVENTS
        ]
    else:
        found = [_Needle(kind, asked, UNKNOWN, ()) for asked in rng.sample(synthetic.NEVER_SAID, MOST)]
    rng.shuffle(found)
    return found


def _history(count: int, told: dict[int, str], rng: random.Random) -> tuple[tuple[ChatSession, ...], list[datetime]]:
    """Sessions in the order of their dates; a fact opens a turn of the user's somewhere in its session."""
    moment, days, sessions = _START, [], []
    for at in range(count):
        moment += timedelta(hours=rng.randint(*_HOURS), minutes=rng.randint(0, 59))
        turns = talk(rng, rng.randint(*_EXCHANGES))
        if at in told:
            place = 2 * rng.randrange(len(turns) // 2)
            turns[place] = ChatTurn("user", f"{told[at]} {turns[place].content}")
        days.append(moment)
        sessions.append(ChatSession(_written(moment), turns))
    return tuple(sessions), days


def _written(moment: datetime) -> str:
    """As LongMemEval writes dates."""
    return moment.strftime("%Y/%m/%d (%a) %H:%M")
