"""Search: finds sessions, pieces and turns of a history by words, dates and meaning.

Read `ranking` first: `rank_sessions` is the entry point. It adds up the scores of `word_index` (SQLite's FTS5), the
dates that a question names and, with an embedder, the similarities of `semantic`. `find` searches single turns for a
few short phrases (`probes`), and adds turns that are linked to them. In both, the rarest words decide
(`word_index.Terms`). `words` defines what a word is in any language, and `occurrences` finds words and quotes in texts.
"""

from .ranking import arank_sessions, rank_sessions

__all__ = ["arank_sessions", "rank_sessions"]
