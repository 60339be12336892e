"""The paper's numbers and claims, held against its authors' own logs: one function a claim.

What each checks stands in its docstring; what it shows is computed from the logs and
returned as a small frame of text. The functions live in `audit_tables`, `audit_costs`
and `audit_answers`; the claims are numbered as the notebook numbers them:

1. `token_groups`, `scan_tokens`: 37,216 tokens a query
2. `seconds`, `speedup`, `waves`: 4 seconds, 54 times as fast
3. `history_lengths`: constant cost as history grows
4. `user_questions`: 87.5% beats full context
5. `published`: the comparison of Table 7
6. `context_window`: far beyond any context window
7. `session_size`: what a sub-agent reads
8. `niah_sizes`: the size of the haystack
9. `synthetic_failures`: two failures
10. `paired`, `crashes`: RLM against RAG
11. `other_words`, `to_read`, `doubtful_hits`: what EM counts
"""

from __future__ import annotations

from dataclasses import replace

from ..run.results import Result
from .audit_answers import (
    crashes,
    doubtful_hits,
    other_words,
    paired,
    published,
    synthetic_failures,
    to_read,
    user_questions,
    wilson_table,
)
from .audit_costs import (
    context_window,
    history_lengths,
    niah_sizes,
    one_scan,
    scan_tokens,
    seconds,
    session_size,
    speedup,
    token_groups,
    waves,
)
from .audit_data import data_results
from .audit_tables import (
    PREFIX,
    Check,
    against_paper,
    agreement,
    headlines,
    recompute,
    rounded_twice,
    sheet,
    weighted_means,
)
from .paper_logs import PaperLogs

__all__ = [
    "PREFIX",
    "Check",
    "against_paper",
    "agreement",
    "context_window",
    "crashes",
    "doubtful_hits",
    "headlines",
    "history_lengths",
    "niah_sizes",
    "one_scan",
    "other_words",
    "paired",
    "published",
    "results",
    "rounded_twice",
    "scan_tokens",
    "seconds",
    "session_size",
    "sheet",
    "speedup",
    "synthetic_failures",
    "to_read",
    "token_groups",
    "user_questions",
    "waves",
    "weighted_means",
    "wilson_table",
]


def results(logs: PaperLogs) -> list[Result]:
    """Every number of the paper that its authors' files give, as `recomputed.<id>` with the id of `paper.toml`."""
    found = [*recompute(logs), *data_results(logs)]
    return [replace(result, id=PREFIX + result.id) for result in found]
