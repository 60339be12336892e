"""What the audits share: a check of one claim, tables of text, one method's answers, and rounding.

An audit recomputes figures from the authors' logs (`paper_logs`) and returns a small table of text.
The claims have the numbers of notebook 06: `audit_costs` checks claims 1, 2, 3, 6, 7 and 8,
`audit_answers` claims 4, 5, 9, 10 and 11, and `audit_tables` the paper's Tables 2 to 6.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

import pandas as pd

from ..score.results import as_text

KINDS = (
    "single-session-user", "single-session-assistant", "knowledge-update", "temporal-reasoning", "multi-session",
    "single-session-preference",
)  # fmt: skip
"""The question types in the order of the paper's Table 6."""

_VERDICTS = {True: "holds", False: "does not hold", None: ""}
_ONE_SCAN = 0.1  # a token count this close to the adaptive run's median read the history once


class Check(NamedTuple):
    """One line of an audit: what is checked, the paper's figure, the logs' figure, and whether the claim holds."""

    what: str
    paper: str
    logs: str
    holds: bool | None = None


def sheet(*checks: Check) -> pd.DataFrame:
    """A table of checks, with "holds" or "does not hold" where a check decides.

    Example:
        >>> sheet(Check("EM over truncation", "9x", "9.2x", True)).loc["EM over truncation", "verdict"]
        'holds'
    """
    return as_text(
        {
            check.what: {"the paper": check.paper, "its logs": check.logs, "verdict": _VERDICTS[check.holds]}
            for check in checks
        },
        "what",
    )


def of(answers: pd.DataFrame, method: str) -> pd.DataFrame:
    """One method's answers, indexed by question."""
    return answers[answers["method"] == method].set_index("question_id")


def one_scan(answers: pd.DataFrame) -> "pd.Series[float]":
    """Tokens of the adaptive run's questions that read the history once: those within 10% of that run's median.

    That run counts the tokens of its sub-agents, so these counts measure a full scan.
    """
    tokens = of(answers, "adaptive")["tokens"]
    return tokens[(tokens / tokens.median() - 1).abs() <= _ONE_SCAN]


def agreement(value: float, printed: float, digits: int) -> str:
    """How a number agrees with a printed one: "yes", "rounded twice" (first to four digits), or "no".

    >>> agreement(0.61947, 0.620, 3), agreement(0.6471, 0.647, 3)
    ('rounded twice', 'yes')
    """
    wanted = rounded(printed, digits)
    if rounded(value, digits) == wanted:
        return "yes"
    return "rounded twice" if rounded(rounded(value, 4), digits) == wanted else "no"


def rounded(value: float | Decimal, digits: int) -> Decimal:
    """A number rounded half up in decimal, as people round by hand."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
