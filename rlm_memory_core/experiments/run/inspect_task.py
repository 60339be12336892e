"""LongMemEval as a task of Inspect: `inspect eval rlm_memory_core/longmemeval --model openai/gpt-4o-mini`.

Our methods are its solver and our scores its scorers; each call goes through Inspect's model, which retries, caches,
counts and limits it. A log holds no history: `sample_of` finds a question's, also for a solver of your own.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextvars import copy_context
from functools import cache
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError  # the only error that Inspect shows as one line
from inspect_ai.dataset import Sample as Question
from inspect_ai.model import ChatMessage, Model, ModelOutput, get_model
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from pydantic import TypeAdapter

from rlm_memory_core.models.llm import OFFLINE, connect
from rlm_memory_core.models.types import BackendError, Request, Response

from ..data import longmemeval
from ..data.assets import DataUnavailable
from ..methods import PAPER_WINDOW, SEARCHED, attempt, make
from ..score.answers import exact_match
from ..score.judge import judge_messages, verdict
from ..types import Sample

# Inspect puts the package before a task's name, but not in a checkout, where it looks for a project called like it
_PACKAGE = "" if "site-packages" in Path(__file__).parts else "rlm_memory_core/"
_MESSAGES = TypeAdapter(list[ChatMessage])
_METRICS = [mean(), stderr(), grouped(mean(), "question_type", all=False)]


@task(name=f"{_PACKAGE}longmemeval")
def longmemeval_task(
    method: str = SEARCHED, sample: str | int = "paper", variant: str = "s", data_dir: str = "", judge: bool = False
) -> Task:
    """Asks a method the questions of LongMemEval.

    Args:
        method: One of `methods.METHODS`, or a function of your own, such as "my_memory.py:answer".
        sample: "paper" for the paper's 100 questions, "all", or how many to draw.
        variant: "s", "m", or "oracle".
        data_dir: The folder of the data; "" for $RLM_MEMORY_DATA, the project's `data`, or a download.
        judge: Whether the model of Inspect's role "grader" judges the answers too, as LongMemEval's authors do.
    """
    try:
        samples = _load(variant, sample, data_dir)
        make([method], connect(OFFLINE), PAPER_WINDOW)  # checks the name
    except (DataUnavailable, ValueError) as error:
        raise PrerequisiteError(str(error)) from error
    drawn = [variant, sample, str(samples.path.parent)]
    questions = []
    for place, each in enumerate(samples):
        found_by = {"question_type": each.kind, "question_date": each.question_date, "drawn": drawn, "place": place}
        questions.append(Question(each.question, target=each.answer, id=each.id, metadata=found_by))
    return Task(questions, solver=memory(method), scorer=[em(), judged()] if judge else em())


@cache
def _load(variant: str, sample: str | int, data_dir: str) -> longmemeval.Samples:
    return longmemeval.load(variant, sample, data_dir=data_dir)


def sample_of(state: TaskState) -> Sample:
    """Returns the question of a state, with its history as `sessions` and as `store()`."""
    place: int = state.metadata["place"]
    return _load(*state.metadata["drawn"])[place]


@solver(name=f"{_PACKAGE}memory")
def memory(method: str = SEARCHED) -> Solver:
    """Answers with a method over the question's history; `method` is the task's."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        through = Through(get_model())
        with connect(str(get_model()), "http://inspect/v1", recorded="off", wrap=lambda _: through) as llm:
            (answers,) = make([method], llm, PAPER_WINDOW, hedge=0.0)  # a call that waits for Inspect is not late
            prediction = await attempt(answers, sample_of(state))
        if prediction.error:
            raise through.failed or RuntimeError(prediction.error)
        state.output = ModelOutput.from_content(str(get_model()), prediction.text)
        return state

    return solve


@scorer(metrics=_METRICS, name=f"{_PACKAGE}em")
def em() -> Scorer:
    """The paper's EM: 1 if the answer contains the gold answer; see `score.answers.exact_match`."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=exact_match(state.output.completion, target.text), answer=state.output.completion)

    return score


@scorer(metrics=_METRICS, name=f"{_PACKAGE}judged")
def judged() -> Scorer:
    """Whether the model of the role "grader", or else the model itself, says that the answer is right."""

    async def score(state: TaskState, target: Target) -> Score:
        asked, answer = sample_of(state), state.output.completion
        messages = judge_messages(asked.question, asked.answer, answer, kind=asked.kind, abstain=asked.abstain)
        said = (await get_model(role="grader").generate(_MESSAGES.validate_python(messages))).completion
        found = verdict(said)  # None, which is not scored, if it says neither yes nor no
        return Score(value=float("nan") if found is None else float(found), answer=answer, explanation=said)

    return score


class Through:
    """Sends requests through a model of Inspect's, on its loop and within the present sample; `failed` is an error."""

    def __init__(self, model: Model) -> None:
        self._model, self._loop, self._context = model, asyncio.get_running_loop(), copy_context()
        self.failed: Exception | None = None

    async def send(self, request: Request) -> Response:
        """Returns the answer in the form of a chat completion."""
        asked = self._model.generate(_MESSAGES.validate_python(request.body["messages"]))
        try:
            output = await asyncio.wrap_future(self._context.run(asyncio.run_coroutine_threadsafe, asked, self._loop))
        except Exception as error:
            self.failed = error
            raise BackendError(str(error), retryable=False) from error
        finish = None if output.stop_reason == "unknown" else output.stop_reason
        choice = {"message": {"content": output.completion}, "finish_reason": finish}
        return Response(json.dumps({"choices": [choice]}), output.time)

    async def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Yields the whole answer at once."""
        yield (await self.send(request)).text
