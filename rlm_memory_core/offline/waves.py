"""Waves: whether what the offline root model has read so far is enough, or what it reads next.

It reads what the code printed. The code of a wave is worded in `code`, the answer composed in `reader`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..query import prompts
from ..search.periods import Period, periods
from ..store.dates import moments, parse_date
from .code import newest_last, next_wave, wave_of_time
from .passages import Passage
from .reader import SURE, Extract, compose


def read_on_or_answer(
    system: str, outputs: Sequence[str], question: str, asked_on: str | None, forced: bool
) -> tuple[str | None, str]:
    """The code of the next wave, or None, and what is answered from what was read so far.

    It reads on while there is no answer and words of the question stand in the history but in no session that was
    read, and stops after a wave that brought none of them. Where the question names a time, and the answer does not
    surely rest on what was said or done then, it once reads on in the sessions of that time. A wave is no more
    sessions than the first one, so that what all this costs does not depend on how long the history is.

    Args:
        system: The root model's system prompt.
        outputs: What its code printed, at least once.
        question: The question.
        asked_on: The day on which it is asked.
        forced: Whether no further code will be run.
    """
    waves = [_from_output(output) for output in outputs]
    findings = [finding for wave in waves for finding in wave.findings]
    findings.sort(key=lambda finding: math.inf if finding.rank is None else finding.rank)
    last = waves[-1]
    text, rests_on = compose(question, asked_on, findings, last.spread, last.sessions, newest_last(system))
    first = prompts.first_wave(system)
    if forced or first is None:
        return None, text
    brought = len(waves) == 1 or last.missing < waves[-2].missing
    if text == prompts.UNKNOWN and findings and last.missing and brought:
        return next_wave(system, first), text
    if last.of_time and not _of_time(rests_on, periods(question, asked_on)):
        return wave_of_time(), text
    return None, text


def _of_time(rests_on: Sequence[Passage], spans: Sequence[Period]) -> bool:
    """Whether a passage surely answers, and speaks of a day in these spans, or of no day and was said on one."""
    days = [day for passage in rests_on if passage.covered >= SURE for day in _days(passage)]
    return any(span.start <= day <= span.end for day in days for span in spans)


def _days(passage: Passage) -> list[date]:
    spoken = [moment.day for moment in moments(passage.text, passage.day)]
    return spoken or ([passage.day] if passage.day else [])


@dataclass(frozen=True)
class _Heard:
    """What one output of the code says."""

    findings: list[Extract]
    spread: dict[str, int] | None
    sessions: int
    missing: int
    of_time: int


def _from_output(output: str) -> _Heard:
    """The lines that the code printed; what is not such a line is passed over."""
    findings: list[Extract] = []
    spread: dict[str, int] | None = None
    sessions, missing, of_time = 1, 0, 0
    for line in output.splitlines():
        match _entry(line):
            case {"spread": dict(counts), "sessions": int(number), **rest}:
                spread = {term: count for term, count in counts.items() if isinstance(count, int)}
                sessions = max(number, 1)
                missing, of_time = (_count(rest.get(name)) for name in ("missing", "of_time"))
            case {"text": str(text), "place": int(place), "rank": int() | None as rank, "date": str() | None as day}:
                findings.append(Extract(text.replace("\\_", "_"), parse_date(day), place, rank))
    return _Heard(findings, spread, sessions, missing, of_time)


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _entry(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
