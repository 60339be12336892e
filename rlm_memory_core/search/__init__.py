"""Search: finds sessions, pieces and turns of a history by words, dates and meaning.

Read `ranking` first: `rank_sessions` is the way in. It adds up the scores of `word_index` (SQLite's FTS5), the dates of
`periods` and, with an embedder, the similarities of `vectors`. `find` finds single turns for a few short `probes`.
Both let the rarest words decide (`word_index.Terms`). `words` says what a word is in any language, `occurrences` finds
words and quotes in a text. `pieces` cuts long sessions. `semantic` embeds on this machine. `threads`
runs searches beside everything else.
"""

from .ranking import arank_sessions, rank_sessions

__all__ = ["arank_sessions", "rank_sessions"]
