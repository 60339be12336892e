"""A plain full-text RAG as a method: one row for each turn in SQLite's FTS5, and the best twenty in one call.

rlm-memory reproduce --only 02 -p methods '["rlm-search", "examples/full_text.py:full_text"]'
"""

import re
import sqlite3

TOP = 20


def full_text(history, question, ask):
    """Answers from the turns that share most words with the question, as BM25 ranks them.

    Args:
        history: Sessions, oldest first, each with a `date` and `turns`; a turn has a `role` and a `content`.
        question: The question.
        ask: Has the run's model answer the question from the text that it is given.
    """
    table = sqlite3.connect(":memory:")
    table.execute("CREATE VIRTUAL TABLE turns USING fts5(content, shown UNINDEXED, tokenize = 'porter')")
    for session in history:
        for role, content in session.turns:
            table.execute("INSERT INTO turns VALUES (?, ?)", (content, f"[{session.date}] {role}: {content}"))
    words = re.findall(r"\w+", question)
    query = " OR ".join(f'"{word}"' for word in words)
    best = "SELECT rowid, shown FROM turns WHERE turns MATCH ? ORDER BY rank LIMIT ?"
    found = sorted(table.execute(best, (query, TOP))) if words else []
    table.close()
    return ask("\n".join(shown for _, shown in found))
