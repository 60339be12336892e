"""Writes the figures of README.md and docs/ from the committed outputs: `python docs/fill.py`.

Replaces the text between `<!-- name -->` and `<!-- /name -->` with the result of the function for that name in
`FIGURES`, and changes nothing else. `tests/test_docs.py` fails if a page has other figures.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper import scorecard, scorecard_tables

ROOT = Path(__file__).resolve().parent.parent
OUTPUTS = ROOT / "outputs" / "offline"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKED = re.compile(r"<!-- (?P<name>[\w.-]+) -->(?P<text>.*?)<!-- /(?P=name) -->", re.DOTALL)
_METHODS = {
    "truncation": "truncation, the last 32,000 characters",
    "rag": "RAG, the top 20 turns by words",
    "rlm": "RLM, sub-agents one by one",
    "rlm-parallel": "RLM, sub-agents at once",
    "rlm-search": "RLM, search by the root model",
}
_RANKED = {
    "rlm-ranked-5": "the first 5",
    "rlm-ranked-10": "the first 10",
    "rlm-ranked-20": "the first 20",
    "rlm-parallel": "all",
}
_WAYS = {"sequential": "one after another", "paper": "the paper's pattern, 20 threads", "ours": "this package"}


class UnknownFigure(ValueError):
    """A page names an unknown figure, or puts one where Markdown would misread it."""


def filled(text: str) -> str:
    """Return a page with the figures of the current outputs.

    Raises:
        UnknownFigure: A name is not in `FIGURES`; or a mark in a paragraph starts a line, which Markdown would read as
            the start of a block.
    """

    def fill(match: re.Match[str]) -> str:
        name, old = match["name"], match["text"]
        if name not in FIGURES:
            raise UnknownFigure(f"no figure is called {name!r}; there are {', '.join(FIGURES)}")
        block = "\n" in old
        if not block and (match.start() == 0 or text[match.start() - 1] == "\n"):
            raise UnknownFigure(f"the figure {name!r} begins a line: put a word before it")
        new = FIGURES[name]()
        return f"<!-- {name} -->" + (f"\n\n{new}\n\n" if block else new) + f"<!-- /{name} -->"

    return MARKED.sub(fill, text)


def main() -> None:
    """Fill in all pages, and print the names of those that changed."""
    for page in PAGES:
        old = page.read_text(encoding="utf-8")
        new = filled(old)
        if new != old:
            page.write_text(new, encoding="utf-8")
            print(page.relative_to(ROOT))


@cache
def _rows(notebook: str) -> dict[str, dict[str, Any]]:
    document = json.loads((OUTPUTS / "results" / f"{notebook}.json").read_text(encoding="utf-8"))
    return {row["id"]: row for row in document["rows"]}


@cache
def _card() -> pd.DataFrame:
    return scorecard.of_run(OUTPUTS)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def methods() -> str:
    """LongMemEval-S by method: EM with the paper's, stricter measures, tokens and calls."""
    found, register = _rows("03_longmemeval_s"), paper.register()
    rows = []
    for name, told in _METHODS.items():
        if f"table5.{name}.em" not in found:
            continue  # the run did not ask it
        of = {metric: found[f"table5.{name}.{metric}"] for metric in ("em", "em_strict", "f1", "tokens", "calls")}
        printed = register.get(f"table5.{name}.em")
        interval = f"[{of['em']['low']:.2f}, {of['em']['high']:.2f}]"
        rows.append([
            told, printed.printed if printed else "", f"{of['em']['value']:.3f} {interval}",
            f"{of['em_strict']['value']:.3f}", f"{of['f1']['value']:.3f}",
            f"{of['tokens']['value']:,.0f}", f"{of['calls']['value']:.1f}",
        ])  # fmt: skip
    head = ["method", "EM, paper (gpt-4o-mini)", "EM, offline reader (no LLM)", "EM strict", "F1 (sets)"]
    return _table([*head, "tokens a question", "calls"], rows)


def verdicts() -> str:
    """The scorecard's counts: status by verdict."""
    counts = scorecard.counts(_card())
    rows = [[str(status), *map(str, row)] for status, row in zip(counts.index, counts.to_numpy(), strict=True)]
    return _table(["", *map(str, counts.columns)], rows)


def faults() -> str:
    """The numbers that do not hold as written, and why."""
    table = scorecard_tables.faulty(_card()).reset_index()
    return _table(["the paper prints", "first in", "why it does not hold", "times"], [
        [str(row["the paper prints"]), str(row["number"]), str(row["why"]), str(row["times"])]
        for row in table.to_dict("records")
    ])  # fmt: skip


def differing() -> str:
    """The numbers whose evidence rounds to other digits, or leaves them out."""
    table = scorecard_tables.differing(_card()).reset_index()
    return _table(["number", "the paper prints", "checked", "why"], [
        [str(row["number"]), str(row["paper"]), str(row["checked"]), str(row["note"])]
        for row in table.to_dict("records")
    ])  # fmt: skip


def by_length() -> str:
    """Estimated tokens and dollars by the length of the history."""
    found = _rows("05_latency_and_cost")
    lengths = sorted(int(name.split(".")[2]) for name in found if re.fullmatch(r"estimated\.history\.\d+\.usd", name))
    rows = []
    for length in lengths:
        tokens, usd = (found[f"estimated.history.{length}.{what}"]["value"] for what in ("tokens", "usd"))
        rows.append([f"{length:,}", f"{tokens:,.0f}", f"{usd:.3f}"])
    return _table(["sessions", "tokens a question", "dollars, gpt-4o-mini"], rows)


def fan_out() -> str:
    """Wall time of a fan-out under simulated latency, by how calls are sent."""
    found = _rows("05_latency_and_cost")
    sizes = sorted({int(name.split(".")[2]) for name in found if name.startswith("simulated.fanout.")})
    rows = [
        [told, *(f"{found[f'simulated.fanout.{size}.{way}.seconds']['value']:.1f} s" for size in sizes)]
        for way, told in _WAYS.items()
    ]
    return _table(["calls sent (simulated latency)", *(f"{size}" for size in sizes)], rows)


def ranked() -> str:
    """Ranked reading on LongMemEval-S: evidence, EM and cost by how many sessions are read first."""
    try:
        found = _rows("07_beyond")
    except FileNotFoundError:
        return "To come with `make reproduce`."
    rows = []
    for name, told in _RANKED.items():
        of = {what: found[f"beyond.longmemeval.{name}.{what}"] for what in ("evidence_read", "em", "tokens", "usd")}
        recall, em = (
            f"{of[what]['value']:.3f} [{of[what]['low']:.2f}, {of[what]['high']:.2f}]"
            for what in ("evidence_read", "em")
        )
        rows.append(
            [told, recall, em, f"{of['tokens']['value']:,.0f}", f"{of['usd']['value']:.4f}", str(of["em"]["n"])]
        )
    head = ["sessions read", "evidence read", "EM, offline reader (no LLM)", "tokens a question"]
    return _table([*head, "dollars, gpt-4o-mini", "questions"], rows)


def unseen() -> str:
    """EM of RLM on the questions that were not looked at while the first offline reader was written."""
    rows = pd.read_csv(OUTPUTS / "results" / "03_longmemeval_s.questions.csv")
    odd = rows["question_id"].map(lambda name: hashlib.sha256(name.encode()).digest()[-1] % 2 == 1)
    em = rows.loc[odd & (rows["method"] == "rlm-sequential"), "em"]
    return f"{em.mean():.2f}, {em.sum():.0f} of {len(em)}"


@cache
def _logged(column: str) -> pd.DataFrame:
    """A column of the authors' logs: one row for each question, one column for each method."""
    rows = pd.read_csv(OUTPUTS / "results" / "06_paper_audit.questions.csv")
    return rows.pivot_table(index="question_id", columns="method", values=column, sort=False)


def _verdict(name: str) -> Callable[[], str]:
    return lambda: str(int((_card()["verdict"] == name).sum()))


def _row(notebook: str, name: str, form: str) -> Callable[[], str]:
    return lambda: form.format(_rows(notebook)[name]["value"])


FIGURES: dict[str, Callable[[], str]] = {
    "methods": methods,
    "verdicts": verdicts,
    "faults": faults,
    "differing": differing,
    "by-length": by_length,
    "fan-out": fan_out,
    "ranked": ranked,
    "em-unseen": unseen,
    "numbers": lambda: str(len(paper.register())),
    "agree": _verdict(scorecard.AGREES),
    "differ": _verdict(scorecard.DIFFERS),
    "faulty": _verdict(scorecard.FAULTY),
    "control": _verdict(scorecard.CONTROL),
    "unjudged": _verdict(scorecard.NONE),
    "tokens": _row("03_longmemeval_s", "table5.rlm.tokens", "{:,.0f}"),
    "tokens-rag": _row("03_longmemeval_s", "table5.rag.tokens", "{:,.0f}"),
    "calls": _row("03_longmemeval_s", "table5.rlm.calls", "{:.1f}"),
    "em": _row("03_longmemeval_s", "table5.rlm.em", "{:.2f}"),
    "em-rag": _row("03_longmemeval_s", "table5.rag.em", "{:.2f}"),
    "scan-tokens": _row("05_latency_and_cost", "estimated.full-scan.tokens", "{:,.0f}"),
    "scan-usd": _row("05_latency_and_cost", "estimated.full-scan.usd", "{:.3f}"),
    "logged-seconds": lambda: f"{_logged('seconds')['rlm'].mean():.0f}",
    "logged-seconds-parallel": lambda: f"{_logged('seconds')['adaptive'].median():.1f}",
    "logged-speed-up": lambda: f"{(_logged('seconds')['rlm'] / _logged('seconds')['adaptive']).median():.1f}",
    "logged-em-parallel": lambda: f"{_logged('em')['adaptive'].mean():.2f}",
    "logged-right": lambda: f"{_logged('em')['rlm'].sum():.0f}",
    "logged-right-rag": lambda: f"{_logged('em')['rag'].sum():.0f}",
}


if __name__ == "__main__":
    main()
