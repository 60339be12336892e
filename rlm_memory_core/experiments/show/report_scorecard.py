"""The scorecard as the report shows it: text by text, grouped by place, and what does not hold gathered by its reason.

Every verdict comes from `scorecard`; here figures become text, and nothing is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import pandas as pd

from rlm_memory_core.models.llm import OFFLINE_LABEL

from ..paper.registry import Number, source
from ..paper.scorecard import AGREES, CONTROL, DIFFERS, FAULTY, NONE, RECOMPUTED, VERDICTS

SIGNS = {AGREES: "✓", DIFFERS: "≠", FAULTY: "✗", CONTROL: "○", NONE: "–"}
"""What stands beside a verdict's word, so that no verdict is told by its colour alone."""

WORDS = {
    AGREES: ("agrees", "agree"),
    DIFFERS: ("differs", "differ"),
    FAULTY: (FAULTY, "do not hold"),
    CONTROL: ("control", "control"),
    NONE: ("no verdict", "no verdict"),
}
"""How a reader is told a verdict: of one number, and of several."""

TITLES = {
    "section 1": "Introduction",
    "section 2": "Related work",
    "section 3.3": "Comparison with the original RLM",
    "section 4.1": "Benchmarks",
    "section 4.2": "Baselines",
    "table 1": "Synthetic question categories",
    "section 4.3": "Model and metrics",
    "table 2": "Needle in a haystack",
    "section 5.1": "Needle recall",
    "figure 2": "Needle recall, its caption",
    "table 3": "Synthetic LongMemEval, overall",
    "section 5.2": "Synthetic LongMemEval, overall",
    "table 4": "Synthetic LongMemEval, F1 by category",
    "section 5.3": "Results by question type",
    "section 5.4": "Real LongMemEval-S",
    "table 5": "Real LongMemEval-S",
    "table 6": "Real LongMemEval-S, by question type",
    "section 5.5": "Comparison with published systems",
    "table 7": "Published systems",
    "section 6": "Analysis",
    "section 7": "Limitations",
    "section 8": "Conclusion",
    "reproducibility": "The paper's commands",
    "readme": "The authors' repository",
}
"""What each place of the paper is about."""

_MOST_DIGITS = 4  # more than printed, to tell two figures apart that look the same


@dataclass(frozen=True, slots=True)
class Row:
    """One number as text; "" where there is nothing.

    Args:
        id: Of the register.
        place: Such as "Table 5".
        what: Where in its place it stands, such as "RLM-MEMORY (ours), EM".
        paper: The figure as printed.
        recomputed, recomputed_n: From the authors' files, by formula or as the cited source prints it.
        ours, interval, n, by: This run's figure; `by` only where another than the page's model gave it.
        ours_verdict: The verdict on ours, where it is not the row's own.
        status, verdict, note: As in the scorecard.
    """

    id: str
    place: str
    what: str
    paper: str
    recomputed: str
    recomputed_n: str
    ours: str
    interval: str
    n: str
    by: str
    ours_verdict: str
    status: str
    verdict: str
    note: str


@dataclass(frozen=True, slots=True)
class Group:
    """The numbers of one place, and how many have each verdict.

    Args:
        place: Such as "Table 5".
        title: What it is about.
        rows: Its numbers.
        tally: Verdict and count, for those verdicts that occur.
    """

    place: str
    title: str
    rows: list[Row]
    tally: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why numbers do not hold as written, and those numbers.

    Args:
        fault: The reason, as the register gives it.
        figures: The figures concerned as printed, each once, with their units.
        rows: The numbers.
    """

    fault: str
    figures: list[str]
    rows: list[Row]

    @property
    def places(self) -> list[tuple[Row, int]]:
        """The first number of each place and description, and how many share them."""
        named = [(row.place, row.what) for row in self.rows]
        first = dict(zip(reversed(named), reversed(self.rows), strict=True))
        return [(first[each], named.count(each)) for each in dict.fromkeys(named)]


def rows(card: pd.DataFrame, numbers: Mapping[str, Number], answered: str) -> list[Row]:
    """A scorecard as text.

    Args:
        card: What `scorecard.scorecard` gives.
        numbers: The register that it is of.
        answered: The model that answered, which needs no naming in each row.

    Example:
        >>> from rlm_memory_core.experiments.paper import registry as paper, scorecard
        >>> register = paper.register()
        >>> card = scorecard.scorecard(register, scorecard.read([]))
        >>> row = next(row for row in rows(card, register, "") if row.id == "section5.4.gain")
        >>> row.place, row.paper, row.recomputed, row.verdict
        ('Section 5.4', '9×', '9×', 'agrees')
    """
    return [_row(entry, numbers[entry["id"]], answered) for entry in card.to_dict("records")]


def groups(shown: Iterable[Row], numbers: Mapping[str, Number]) -> list[Group]:
    """The rows by place, in the paper's order."""
    found = []
    for place, of_place in groupby(shown, key=lambda row: row.place):
        members = list(of_place)
        verdicts = [row.verdict for row in members]
        tally = [(verdict, verdicts.count(verdict)) for verdict in VERDICTS if verdict in verdicts]
        found.append(Group(place, TITLES.get(numbers[members[0].id].place, ""), members, tally))
    return found


def findings(shown: Iterable[Row], numbers: Mapping[str, Number]) -> list[Finding]:
    """What does not hold as written: each reason once, in the order in which the paper first gives cause for it."""
    by_fault: dict[str, list[Row]] = {}
    for row in shown:
        if row.verdict == FAULTY:
            number = numbers[row.id]
            by_fault.setdefault(number.fault or source(number, numbers).fault, []).append(row)
    return [
        Finding(fault, _figures([numbers[row.id] for row in members]), members) for fault, members in by_fault.items()
    ]


def further(evidence: pd.DataFrame, numbers: Mapping[str, Number]) -> dict[str, list[dict[str, str]]]:
    """Figures of results documents that the paper prints nowhere, by notebook.

    Args:
        evidence: What `scorecard.read` gives.
        numbers: The register.

    Returns:
        By notebook: rows of id, value, interval, n and by.
    """
    found: dict[str, list[dict[str, str]]] = {}
    for entry in evidence.to_dict("records"):
        if str(entry["id"]).removeprefix(RECOMPUTED) not in numbers:
            row = {
                "id": str(entry["id"]),
                "value": plain(entry["value"]),
                "interval": _interval(entry["low"], entry["high"], plain),
                "n": f"{entry['n']:,}",
                "by": str(entry["model"]) + (", judged" if str(entry["id"]).startswith("judged.") else ""),
            }
            found.setdefault(str(entry["notebook"]), []).append(row)
    return found


def plain(value: float) -> str:
    """A figure of which no printed digits are known.

    >>> plain(13998890.4), plain(0.0968844)
    ('13,998,890', '0.09688')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _row(entry: Mapping[Any, Any], number: Number, answered: str) -> Row:
    place, what = re.split(r"[:,] ", number.where, maxsplit=1)
    unit = number.printed.rpartition(number.show(number.value))[2]
    # the offline reader's seconds are those of this machine: no model, no network, and nothing to set beside the paper
    ours = None if number.unit == "seconds" and entry["model"] == OFFLINE_LABEL else _known(entry["ours"])
    recomputed = _known(entry["recomputed"])
    own = ours is not None and entry["status"] != "measured" and entry["ours_verdict"] != NONE
    return Row(
        id=number.id,
        place=place,
        what=what,
        paper=number.printed,
        recomputed="" if recomputed is None else _shown(number, recomputed, entry["verdict"]) + unit,
        recomputed_n=_count(entry["recomputed_n"]),
        ours="" if ours is None else _shown(number, ours, entry["ours_verdict"]) + unit,
        interval="" if ours is None else _interval(entry["low"], entry["high"], number.show),
        n="" if ours is None else _count(entry["n"]),
        by="" if ours is None or entry["model"] == answered else entry["model"],
        ours_verdict=entry["ours_verdict"] if own else "",
        status=entry["status"],
        verdict=entry["verdict"],
        note=entry["note"],
    )


def _figures(numbers: Iterable[Number]) -> list[str]:
    """Each printed figure once, with its unit as a word where it does not show it; several of one unit name it once."""
    found = list(dict.fromkeys((number.printed, _unit(number)) for number in numbers))
    following = [*(unit for _, unit in found[1:]), ""]
    named = zip(found, following, strict=True)
    return [figure if unit in ("", after) else f"{figure} {unit}" for (figure, unit), after in named]


def _unit(number: Number) -> str:
    bare = number.unit == "share" or not number.printed.endswith(number.show(number.value))
    return "" if bare else number.unit.replace("usd", "dollars")


def _shown(number: Number, value: float, verdict: str) -> str:
    """A figure with the paper's digits, or with more where it differs and would look the same."""
    text = number.show(value)
    for digits in range(number.digits, number.digits + _MOST_DIGITS + 1):
        text = replace(number, digits=digits).show(value)
        if verdict != DIFFERS or float(text.replace(",", "")) != number.value:
            break
    return text


def _interval(low: Any, high: Any, show: Any) -> str:
    return "" if pd.isna(low) or pd.isna(high) else f"[{show(low)}, {show(high)}]"


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _count(value: Any) -> str:
    return "" if pd.isna(value) else f"{int(value):,}"
