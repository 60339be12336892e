"""A plain function `history, question -> answer` as a method, so that any other memory system is one more row.

A notebook names it by its file, as in "examples/full_text.py:full_text"; `methods.make` also takes the function itself.
"""

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
from rlm_memory_core.query.answer import total_cost
from rlm_memory_core.query.prompts import history_messages

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
        except ModelError as failure:
            error = str(failure)
            used.append(failure)
        except BudgetExceeded as failure:
            error = str(failure)
        except Exception as failure:  # a run shows no traceback: say where it came from
            place = traceback.extract_tb(failure.__traceback__)[-1]
            error = f"{_told(failure)} ({Path(place.filename).name}, line {place.lineno})"
        paid = sum((each.usage for each in used), Usage()), total_cost([each.cost_usd for each in used])
        return Prediction.of("" if error else text, *paid, time.perf_counter() - started + replayed, error=error)


def load(place: str) -> Callable[..., str]:
    """Returns a function by its file, in the working folder or one above it, and its name in the file.

    Raises:
        ValueError: There is no such file or function, or the file cannot be run.

    >>> load("nowhere.py:answer")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: nowhere.py:answer: FileNotFoundError
    """
    file, _, name = place.rpartition(":")
    places = [folder / file for folder in (Path.cwd(), *Path.cwd().parents)]
    path = next((path for path in places if path.is_file()), places[0])
    try:
        found = runpy.run_path(str(path)).get(name)
    except Exception as error:
        raise ValueError(f"{place}: {_told(error)}") from error
    if not callable(found):
        raise ValueError(f"{place}: there is no function {name!r} in {path}")
    return found  # type: ignore[no-any-return]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
