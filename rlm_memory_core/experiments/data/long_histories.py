"""Generated histories of any length with hidden facts, to measure what a query costs against the history's length.

They replace LongMemEval-M (about 500 sessions a question, a file of 2.7 GB) where it is missing, and go on to 5,000
sessions. A history is dated sessions of small talk (`smalltalk.talk`) made from a seed. A few sentences hold facts,
updates of facts, events to count and events to date, so that questions and answers are known by construction. These
are no real conversations: sentences repeat themselves, a session is about half as long as LongMemEval's, and every
fact stands in one plain sentence of the user. Accuracy on them says little; tokens, sessions read and whether the
evidence was read say more.

All questions of a history share it. The same seed hides the same facts at every length.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import NamedTuple

from rlm_memory_core.query.prompts import UNKNOWN

from ..types import ChatSession, ChatTurn, Sample
from . import longmemeval, synthetic
from .assets import LONGMEMEVAL, on_disk
from .smalltalk import SENTENCES, talk

TYPES = ("single-session-user", "knowledge-update", "multi-session", "temporal-reasoning", "abstention")
MOST = 5
"""Most questions of one type over one history: each type has so many templates, and a history uses each once."""

_PREFIX = "long-"
_EXCHANGES = (4, 8)  # in a session
_HOURS = (6, 30)  # from one session to the next
_START = datetime(2015, 3, 2, 8, 30)

_SENTENCES = SENTENCES["long_histories"]


class _Needle(NamedTuple):
    """A question and the sentences that hold the answer, oldest first; if `dated`, it is the days between two."""

    kind: str
    question: str
    answer: str
    told: tuple[str, ...]
    dated: bool = False


def load(sessions: int = 500, n_per_type: int = 2, seed: int = 42) -> list[Sample]:
    """Makes a history and the questions over it.

    Args:
        sessions: The length of the history.
        n_per_type: Questions of each type, at most `MOST`.
        seed: The seed of the history.

    Raises:
        ValueError: `n_per_type` is out of range, or the history has fewer sessions than facts: each fact has its own
            session.

    Example:
        >>> sample = load(sessions=50, n_per_type=1)[1]
        >>> sample.id, len(sample.sessions), len(sample.evidence)
        ('long-50-42-knowledge-update-1', 50, 2)
    """
    if not 1 <= n_per_type <= MOST:
        raise ValueError(f"n_per_type must be 1 to {MOST}, not {n_per_type}")
    needles = []
    for kind in TYPES:
        rng = random.Random(f"{seed} {kind}")
        made = list(_needles(kind, rng))
        rng.shuffle(made)
        needles += made[:n_per_type]
    wanted = sum(len(needle.told) for needle in needles)
    if sessions < wanted:
        raise ValueError(f"{sessions} sessions cannot hold {wanted} facts in sessions of their own; ask for more")
    return list(_samples(needles, sessions, seed))


def m_scale(sessions: int = 500, n_per_type: int = 1, seed: int = 42, data_dir: str = "") -> Sequence[Sample]:
    """Loads questions over histories as long as LongMemEval-M's: from the file if it is on disk, else generated ones.

    The file has 2.7 GB and is never downloaded for this; `source` says which of the two it is.

    Args:
        sessions: The length of the generated history; the real ones have about 500.
        n_per_type: Questions of each type.
        seed: The seed of the draw, or of the history.
        data_dir: A folder to search first; see `assets.locate`.
    """
    if on_disk(LONGMEMEVAL["m"], data_dir) is None:
        return load(sessions, n_per_type, seed)
    return list(longmemeval.load("m", n_per_type * len(longmemeval.TYPES), seed=seed, data_dir=data_dir))


def scale_name(samples: Sequence[Sample]) -> str:
    """Returns which of the two `m_scale` gave: "longmemeval-m" or "generated"."""
    return "generated" if samples[0].id.startswith(_PREFIX) else "longmemeval-m"


def source(samples: Sequence[Sample]) -> str:
    """Describes the samples of `m_scale` in one line: which they are, how many, and how long their histories."""
    name = "Generated, not LongMemEval-M" if scale_name(samples) == "generated" else "LongMemEval-M"
    lengths = sorted({len(sample.sessions) for sample in samples})
    spread = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    return f"{name}: {len(samples)} questions over {spread} sessions."


def _samples(needles: Sequence[_Needle], sessions: int, seed: int) -> Iterator[Sample]:
    rng = random.Random(f"{seed} places of {sessions}")
    free = iter(rng.sample(range(sessions), sum(len(needle.told) for needle in needles)))
    places = [sorted(islice(free, len(needle.told))) for needle in needles]
    told = dict(zip(chain(*places), chain(*(needle.told for needle in needles)), strict=True))
    history, days = _history(sessions, told, rng)
    asked_on = _written(days[-1] + timedelta(days=1))
    numbers: Counter[str] = Counter()
    for needle, own in zip(needles, places, strict=True):
        numbers[needle.kind] += 1
        days_between = (days[own[-1]].date() - days[own[0]].date()).days if needle.dated else 0
        yield Sample(
            id=f"{_PREFIX}{sessions}-{seed}-{needle.kind}-{numbers[needle.kind]}",
            kind=needle.kind,
            question=needle.question,
            answer=needle.answer.format(days=days_between),
            sessions=history,
            question_date=asked_on,
            abstain=needle.kind == "abstention",
            evidence=tuple(own),
        )


def _needles(kind: str, rng: random.Random) -> Iterator[_Needle]:
    """Makes one needle per template."""
    if kind == "single-session-user":
        for told, asked, values in synthetic.FACTS:
            value = rng.choice(values)
            yield _Needle(kind, asked, value, (told.format(value),))
    elif kind == "knowledge-update":
        for first, later, asked, values in synthetic.UPDATES:
            old, new = rng.sample(values, 2)
            yield _Needle(kind, asked, new, (first.format(old), later.format(new)))
    elif kind == "multi-session":
        for counted in _SENTENCES["counted"]:
            each = rng.sample(_SENTENCES["each"], rng.randint(2, 4))
            yield _Needle(kind, counted["asked"], str(len(each)), tuple(map(counted["told"].format, each)))
    elif kind == "temporal-reasoning":
        for pair in _SENTENCES["events"]:
            asked = "How many days passed between the day when I {} and the day when I {}?".format(*pair)
            yield _Needle(kind, asked, "{days}", tuple(f"I {event} today." for event in pair), dated=True)
    else:
        for asked in rng.sample(synthetic.NEVER_SAID, MOST):
            yield _Needle(kind, asked, UNKNOWN, ())


def _history(count: int, told: dict[int, str], rng: random.Random) -> tuple[tuple[ChatSession, ...], list[datetime]]:
    """Makes sessions in the order of their dates; a fact opens some user turn of its session."""
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
    """Formats a date as LongMemEval does."""
    return moment.strftime("%Y/%m/%d (%a) %H:%M")
