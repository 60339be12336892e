"""Search: finds sessions, pieces and turns of a history by words, dates and meaning.

Read `ranking` first: `rank_sessions` is the way in. It adds up the scores of `word_index` (SQLite's FTS5), the dates of
`periods` and, with an embedder, the similarities of `vectors`. `find` finds single turns for a few short `probes`.
`rarity` says which words decide, for both. `pieces` cuts long sessions, `piece_index` reads single pieces of a large
history, `quotes` finds a quote in a turn. `semantic` embeds on this machine.
"""

from .ranking import arank_sessions, rank_sessions

__all__ = ["arank_sessions", "rank_sessions"]
