"""All results of a LongMemEval run: Tables 5 and 6 (see `tables`), the sizes of the data, and the README's figures.

Sizes of the histories, of the sample and of the file are facts of the data: no model influences them.
"""

from collections.abc import Iterator
from functools import lru_cache

import pandas as pd

from ..data.assets import LONGMEMEVAL
from ..data.longmemeval import Samples, paper_ids
from ..paper import registry as paper
from ..run.estimate import CHARACTERS_PER_TOKEN, piece_sizes
from ..score.results import OVERALL, as_text, measured
from ..types import Result
from .tables import longmemeval_results, session_counts, tokens

_MEBIBYTE = 1 << 20  # the README's "265MB" counts these


def results(frame: pd.DataFrame, samples: Samples, variant: str, window: int) -> list[Result]:
    """Every figure of a LongMemEval run under its id in `paper.toml`.

    Args:
        frame: The runner's rows.
        samples: The questions.
        variant: Of the data. For another variant than "s", each id starts with the variant's name, such as
            "oracle.table5.rlm.em": the paper prints nothing about it.
        window: Characters that truncation kept.
    """
    found = [*longmemeval_results(frame), *_readme(frame), *_settings(frame, window)]
    if variant == "s":
        return [*found, *facts(samples)]
    return [Result(f"{variant}.{one.id}", one.value, one.n, one.low, one.high) for one in found]


@lru_cache(maxsize=1)
def facts(samples: Samples) -> tuple[Result, ...]:
    """Sizes of the paper's 100 questions, and of the official file.

    Other questions or another file give no results: their sizes say nothing about the paper's. Turns and
    characters include one marker per session, as in the authors' log. One sub-agent reads a session, or
    several if it is very long; a token is taken as four characters.
    """
    return *_of_the_sample(samples), *_of_the_file(samples)


def facts_table(samples: Samples) -> pd.DataFrame | None:
    """The same as text: where the paper or its README prints a size, the printed figure, and the data's.

    For other questions than the paper's, prints one line that says so, and returns None.
    """
    rows = {
        number.where: {"unit": number.unit, "paper": number.printed, "the data": number.show(one.value)}
        for one in facts(samples)
        if not one.id.startswith("table6.") and (number := paper.register()[one.id])
    }
    if not rows:
        print("These are not the paper's 100 questions, so their sizes are not compared with the paper's.")
        return None
    return as_text(rows, "number")


def _of_the_sample(samples: Samples) -> Iterator[Result]:
    sizes = pd.DataFrame([{"id": sample.id, "kind": sample.kind, **session_counts(sample)} for sample in samples])
    if sorted(sizes["id"]) != sorted(paper_ids()):
        return
    n = len(sizes)
    kinds = sizes["kind"].value_counts().sort_index()
    yield from (Result(f"table6.n.{kind}", int(count), int(count)) for kind, count in kinds.items())
    yield Result(f"table6.n.{OVERALL}", n, n)
    yield Result("section5.4.types", len(kinds), n)
    yield Result("abstract.history.characters", float(sizes["characters"].mean()), n)
    yield Result("section5.4.history.turns", float(sizes["turns"].mean()), n)
    yield Result("section5.4.history.sessions", float(sizes["sessions"].mean()), n)
    pieces = [size for sample in samples for size in piece_sizes(sample)]
    yield Result("section5.5.chunk.characters", max(pieces), len(pieces))
    yield Result("readme.chunk.tokens", sum(pieces) / len(pieces) / CHARACTERS_PER_TOKEN, len(pieces))


def _of_the_file(samples: Samples) -> Iterator[Result]:
    if samples.sha256 == LONGMEMEVAL["s"].sha256:
        yield Result("section7.population", samples.population, samples.population)
        yield Result("readme.data.megabytes", samples.path.stat().st_size / _MEBIBYTE, 1)


def _settings(frame: pd.DataFrame, window: int) -> Iterator[Result]:
    if "truncation" in set(frame["method"]):
        yield Result("table5.caption.window", window, 1)


def _readme(frame: pd.DataFrame) -> Iterator[Result]:
    """Tokens and seconds that only the README's table prints; its seconds are those of parallel sub-agents."""
    for method in ("truncation", "full-context"):
        if len(rows := frame[frame["method"] == method]):
            yield measured(f"readme.table.{method}.tokens", tokens(rows))
    if len(rows := frame[frame["method"] == "rlm-parallel"]):
        yield measured("readme.table.rlm.seconds", rows["seconds"])
