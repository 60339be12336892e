"""A plain function `history, question -> answer` as a method, so that any other memory system is one more row.

A notebook names it by its file, as in "examples/full_text.py:full_text"; `methods.make` also takes the function itself.
"""

from __future__ import annotations

import asyncio
import runpy
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from pathlib import Path

from rlm_memory_core.models import background
from rlm_memory_core.models.budget import Budget, BudgetExceeded
from rlm_memory_core.models.llm import LLM, ModelError
from rlm_memory_core.models.pricing import Usage
from rlm_memory_core.models.types import Reply
from rlm_memory_core.query.prompts.record import history_messages
from rlm_memory_core.query.trace import total_cost

from .data.assets import one_line, project_root
from .types import Prediction, Sample


@dataclass(frozen=True)
class Function:
    """Answers by a function, which runs in a thread of its own.

    Args:
        answer: Returns the answer as a text. Its first two arguments are `Sample.sessions` and the question. If it has
            a parameter `date`, it gets the question's date or None; if it has a parameter `ask`, it gets a function
            that shows the run's model some text, has it answer the question from that, and returns the answer.
        llm: The model that `ask` asks. Its calls are counted; those of the function's own models are not.
        budget: A limit on what `ask` spends, or None.
    """

    answer: Callable[..., str]
    llm: LLM
    budget: Budget | None = None

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.answer, "__name__", type(self.answer).__name__)

    async def __call__(self, sample: Sample) -> Prediction:
        """Answers one sample. Whatever the function raises is the prediction's `error`."""
        started, used, replayed = time.perf_counter(), list[Reply | ModelError](), 0.0

        def ask(shown: str) -> str:
            nonlocal replayed
            messages = history_messages(shown, sample.question, sample.question_date)
            reply = background.run(self.llm.complete(messages, self.budget))
            used.append(reply)
            replayed += reply.seconds if reply.recorded else 0.0
            return reply.text.strip()

        given = {"date": sample.question_date, "ask": ask}
        wanted = {name: given[name] for name in given.keys() & signature(self.answer).parameters.keys()}
        try:
            text = await asyncio.to_thread(self.answer, sample.sessions, sample.question, **wanted)
            error = "" if isinstance(text, str) else f"{self.name} returned {type(text).__name__}, not a text"
        except Exception as failure:
            error = _told(failure)
            used += [failure] if isinstance(failure, ModelError) else []
        usage = sum((each.usage for each in used), Usage())
        return Prediction(
            "" if error else text,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.calls,
            total_cost([each.cost_usd for each in used]),
            time.perf_counter() - started + replayed,
            error=error,
        )


def load(place: str) -> Callable[..., str]:
    """Returns a function by its file, relative to the project's folder, and its name in it.

    Raises:
        ValueError: There is no such file or function, or the file cannot be run.

    >>> load("nowhere.py:answer")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: nowhere.py:answer: FileNotFoundError
    """
    file, _, name = place.rpartition(":")
    try:
        found = runpy.run_path(str(project_root() / file)).get(name)
    except Exception as error:
        raise ValueError(f"{place}: {type(error).__name__}: {one_line(error)}") from error
    if not callable(found):
        raise ValueError(f"{place}: there is no function {name!r} in {project_root() / file}")
    return found  # type: ignore[no-any-return]


def _told(error: Exception) -> str:
    """Says on one line what went wrong in foreign code, and where: a run shows no traceback."""
    if isinstance(error, (ModelError, BudgetExceeded)):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {one_line(error)} ({Path(place.filename).name}, line {place.lineno})"
