"""Counts in how many turns the words of a question stand, and picks those that decide.

Common words cost time and say little. So the rarest words of a question are taken first, until together they stand in
5,000 turns, and the others are ignored. Nothing here counts further, however long the history is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ..store.memory_store import MemoryStore
from .word_index import TURNS
from .words import loosened, match_expression, with_other_vowels

MOST_SCORED = 5_000  # turns that are scored by words; words that stand in so many say little


@dataclass(frozen=True, slots=True)
class Terms:
    """The words of a question as the history has them.

    Args:
        counts: In how many turns each form is that is looked for, the rarest first; counted up to 5,001.
        deciding: The rarest forms, which together stand in few enough turns to score them all; or all of them.
        after: The turn after which they are looked up: 0, or if each is too common, 5,000 before the last.
        missing: The words that stand nowhere as they are.
        nowhere: Those of them of which not even the beginning stands anywhere.
    """

    counts: dict[str, int]
    deciding: list[str]
    after: int
    missing: tuple[str, ...]
    nowhere: tuple[str, ...]

    @classmethod
    def of(cls, store: MemoryStore, words: Sequence[str]) -> "Terms":
        """Look words up, as `words.content_words` returns them. One that stands nowhere is loosened."""
        counts = spread(store, words)
        missing = tuple(word for word in counts if not counts[word])
        counts |= spread(store, list(filter(None, map(loosened, missing))))
        nowhere = tuple(word for word in missing if not counts.get(loosened(word)))
        if not any(counts.values()):
            counts |= spread(store, list(filter(None, map(with_other_vowels, missing))))
        counts = {form: count for count, form in sorted((count, form) for form, count in counts.items() if count)}
        totals = accumulate(counts.values())
        few = [form for form, total in zip(counts, totals, strict=True) if total <= MOST_SCORED]
        after = len(store) - MOST_SCORED if counts and not few else 0
        return cls(counts, few or list(counts), after, missing, nowhere)


def spread(
    store: MemoryStore, forms: Sequence[str], further: str = "", values: Sequence[Any] = (), most: int = 0
) -> dict[str, int]:
    """In how many turns that pass further conditions of SQL each form is, counted up to `most` or as far as matters."""
    matching = f"SELECT 1 FROM {TURNS} WHERE {TURNS} MATCH ? AND rowid <= {len(store)}{further} LIMIT ?"
    parameters = [value for form in forms for value in (match_expression([form]), *values, most or MOST_SCORED + 1)]
    ((*found,),) = store.query(
        f"SELECT {', '.join([f'(SELECT count(*) FROM ({matching}))'] * len(forms)) or 1}", parameters
    )
    return dict(zip(forms, found, strict=False))
