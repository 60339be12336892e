"""All figures of a LongMemEval run, and what the data itself says where the paper speaks of it.

Sizes of the histories, of the sample and of the file are facts that no model has a say
in; to them come Tables 5 and 6, which `tables` draws, and what only the README's table
prints of the methods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from rlm_memory_core.search.pieces import split

from ..data.assets import LONGMEMEVAL
from ..data.longmemeval import Samples, paper_ids
from ..paper import registry as paper
from ..run.estimate import CHARACTERS_PER_TOKEN
from ..run.results import Result
from .cells import OVERALL, as_text, measured
from .tables import longmemeval_results

_MEBIBYTE = 1 << 20  # the README's "265MB" counts these


def results(frame: pd.DataFrame, samples: Samples, variant: str, window: int) -> list[Result]:
    """Every figure of a LongMemEval run under its id in `paper.toml`.

    Args:
        frame: The runner's rows.
        samples: What was asked.
        variant: Of the data; a run on another than "s" has the variant's name before each id, such as
            "oracle.table5.rlm.em", because the paper prints nothing of it.
        window: Characters that truncation kept.
    """
    found = [*longmemeval_results(frame), *_readme(frame), *_settings(frame, window)]
    if variant == "s":
        return [*found, *facts(samples)]
    return [Result(f"{variant}.{one.id}", one.value, one.n, one.low, one.high) for one in found]


def facts(samples: Samples) -> list[Result]:
    """Sizes of the data: of the paper's 100 questions where these are they, of the file where it is the official one.

    Other questions have other sizes, which would tell nothing of the paper's, and give no results. Turns and
    characters count one marker a session, as the authors' log does. A session is read by one sub-agent, or by
    several where it is very long; tokens are characters by the usual four.
    """
    return [*_of_the_sample(samples), *_of_the_file(samples)]


def facts_table(samples: Samples) -> pd.DataFrame | None:
    """The same as text: where the paper or its README says it, what is printed there, and what the data says.

    Where other questions than the paper's were drawn, one line says so, and there is no table.
    """
    rows = {
        number.where: {"unit": number.unit, "paper": number.printed, "the data": number.show(one.value)}
        for one in facts(samples)
        if not one.id.startswith("table6.") and (number := paper.register()[one.id])
    }
    if not rows:
        print("These are not the paper's 100 questions, so that their sizes are not set beside the paper's.")
        return None
    return as_text(rows, "number")


def _of_the_sample(samples: Samples) -> Iterator[Result]:
    kinds: Counter[str] = Counter()
    ids, sessions, turns, characters = [], [], [], []
    pieces: list[int] = []
    for sample in samples:
        ids.append(sample.id)
        kinds[sample.kind] += 1
        store = sample.store()
        sessions.append(len(store.sessions))
        turns.append(len(store) + len(store.sessions))
        characters.append(store.characters() + sum(len(session.marker) for session in store.sessions))
        pieces += [len(piece.text) for session in store.sessions for piece in split(session)]
    if sorted(ids) != sorted(paper_ids()):
        return
    n = len(ids)
    yield from (Result(f"table6.n.{kind}", count, count) for kind, count in sorted(kinds.items()))
    yield Result(f"table6.n.{OVERALL}", n, n)
    yield Result("section5.4.types", len(kinds), n)
    yield Result("abstract.history.characters", sum(characters) / n, n)
    yield Result("section5.4.history.turns", sum(turns) / n, n)
    yield Result("section5.4.history.sessions", sum(sessions) / n, n)
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
    """Tokens and seconds that only the README's table prints; its seconds are those of sub-agents at once."""
    for method in ("truncation", "full-context"):
        if len(rows := frame[frame["method"] == method]):
            yield measured(f"readme.table.{method}.tokens", rows["prompt_tokens"] + rows["completion_tokens"])
    if len(rows := frame[frame["method"] == "rlm-parallel"]):
        yield measured("readme.table.rlm.seconds", rows["seconds"])
