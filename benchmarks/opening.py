"""How much of a question's evidence the first message of the search reading shows, and at how many characters.

Run: RLM_MEMORY_DATA=... python benchmarks/opening.py [FILE.json ...]

LongMemEval-S (the paper's questions that have an answer) and LoCoMo (every tenth question), in two halves by the
parity of the SHA-256 of the question: choose on one half, report the other. A file of your own holds a list of
{"question", "question_date", "sessions": [{"date", "turns": [[role, content], ...]}], "evidence": [content, ...]}.
Nothing here calls a model.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from rlm_memory_core import MemoryStore
from rlm_memory_core.experiments.data import locomo
from rlm_memory_core.experiments.data.assets import LONGMEMEVAL, locate
from rlm_memory_core.models import background
from rlm_memory_core.query.search_tools import SearchTools
from rlm_memory_core.query.search_way import opening

Asked = tuple[str, str | None, MemoryStore, set[int]]
"""A question, its date, the history, and the numbers of the turns that are its evidence."""


def of_longmemeval() -> Iterator[Asked]:
    """The questions of the file with evidence, which the file marks turn by turn."""
    for row in json.loads(locate(LONGMEMEVAL["s"]).read_text(encoding="utf-8")):
        store, evidence = MemoryStore(), set[int]()
        for date, said in zip(row["haystack_dates"], row["haystack_sessions"], strict=True):
            store.start_session(date)
            for turn in said:
                number = store.add(turn["role"], turn["content"]).index
                evidence |= {number} if turn.get("has_answer") else set()
        if evidence and not row["question_id"].endswith("_abs"):
            yield row["question"], row["question_date"], store, evidence


def of_locomo() -> Iterator[Asked]:
    """Every tenth question; its evidence are all turns of the sessions that the file cites."""
    for sample in locomo.load()[::10]:
        store = sample.store()
        wanted = {place + 1 for place in sample.evidence}
        if wanted:
            evidence = {turn.index for turn in store.turns if turn.session in wanted}
            yield sample.question, None, store, evidence


def of_file(path: str) -> Iterator[Asked]:
    """The questions of a file of one's own."""
    with open(path, encoding="utf-8") as file:
        rows: list[dict[str, Any]] = json.load(file)
    for row in rows:
        store = MemoryStore()
        for session in row["sessions"]:
            store.start_session(session["date"])
            store.extend(map(tuple, session["turns"]))
        evidence = {turn.index for turn in store.turns if turn.content in set(row["evidence"])}
        yield row["question"], row["question_date"], store, evidence


def main(files: list[str]) -> None:
    """Print a line for each half."""
    print(f"{'':24} questions, share of evidence shown, with any, with all, characters")
    sources = {"LongMemEval-S": of_longmemeval(), "LoCoMo (any = session)": of_locomo()}
    for name, asked in {**sources, **{path: of_file(path) for path in files}}.items():
        rows: dict[bool, list[tuple[float, int]]] = {True: [], False: []}
        for question, date, store, evidence in asked:
            tools = SearchTools(store, question, date)
            size = len(background.run(opening(tools)))
            shown = len(evidence & tools.listing.shown) / len(evidence)
            rows[int(hashlib.sha256(question.encode()).hexdigest(), 16) % 2 == 0].append((shown, size))
        for half, found in rows.items():
            if found:
                shares = [share for share, _ in found]
                figures = fmean(shares), fmean(share > 0 for share in shares), fmean(share == 1 for share in shares)
                print(
                    f"{name[-18:]:18} {'even' if half else 'odd':5} {len(found):4}",
                    *(f"{figure:.3f}" for figure in figures),
                    f"{fmean(size for _, size in found):6.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:])
