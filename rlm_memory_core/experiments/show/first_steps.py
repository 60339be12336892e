"""Helpers of the quickstart: connect to a model if it is available, and estimate the cost of a question.

Without a key or a server the quickstart does not fail: it says what is missing and continues with the offline
reader. It spends nothing by itself.
"""

from collections.abc import Sequence

import httpx2
import pandas as pd

from rlm_memory_core.models.llm import LLM, OFFLINE, ModelError, connect
from rlm_memory_core.models.pricing import cost, price
from rlm_memory_core.query.engine import MemoryRLM
from rlm_memory_core.search.word_index import split
from rlm_memory_core.store.memory_store import MemoryStore

from ..methods import SEARCHED
from ..run.estimate import usage
from ..types import Sample

_READS = {"what it searches for": SEARCHED, "all sessions, as in the paper": "rlm-parallel"}
_PATIENCE = 2.0  # seconds for a server to say that it is there


def at_hand(model: str = OFFLINE, base_url: str | None = None) -> LLM:
    """Connects to the model. If its key or server is missing, prints one line that says so and uses the offline reader.

    Args:
        model, base_url: As for `connect`.

    >>> at_hand("offline").label
    'offline reader (no LLM)'
    """
    llm = connect(model, base_url)
    if missing := _missing(llm):
        print(f"{missing} Until then the offline reader (no LLM) answers instead of {model}.")
        return connect(OFFLINE)
    return llm


def answers(memory: MemoryRLM, samples: Sequence[Sample]) -> pd.DataFrame:
    """Asks all questions, and shows each answer beside the right one.

    Args:
        memory: Answers the questions.
        samples: The questions, each over its own history.

    Returns:
        One row per question: `question`, `answer`, `right answer`, `quotes`, `tokens`.
    """
    rows = []
    for sample in samples:
        answer = memory.query(sample.store(), sample.question, sample.question_date)
        rows.append((sample.question, answer.text, sample.answer, len(answer.evidence), answer.usage.total_tokens))
    return pd.DataFrame(rows, columns=["question", "answer", "right answer", "quotes", "tokens"])


def what_it_would_take(store: MemoryStore, models: Sequence[str]) -> pd.DataFrame:
    """Estimates the cost of one question over a history. No model is asked.

    Args:
        store: The history.
        models: Names of models.

    Returns:
        One row per model and way of reading: `model`, `reads`, `calls`, `tokens`, `dollars` (None: unknown price).
    """
    pieces = [len(piece.text) for session in store.sessions for piece in split(session)]
    rows = []
    for model in models:
        for reads, method in _READS.items():
            took = usage(method, pieces, [], 0)
            rows.append((model, reads, took.calls, took.total_tokens, cost(took, price(model, None))))
    return pd.DataFrame(rows, columns=["model", "reads", "calls", "tokens", "dollars"])


def _missing(llm: LLM) -> str:
    """What is missing to reach the model, in one line; "" if nothing is."""
    try:
        if llm.base_url is None:
            llm.open()
        else:  # any answer shows that the server is there
            httpx2.get(f"{llm.base_url.rstrip('/')}/models", timeout=_PATIENCE)
    except ModelError as error:
        return f"There is {error}."
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return f"No server answers at {llm.base_url} ({error}): start it, or name another with base_url."
    return ""
