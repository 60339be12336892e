"""Answers a question about a short history with one call that contains the whole history as a chat."""

import time
from collections.abc import Iterable, Iterator

from ..models.budget import Budget
from ..models.llm import LLM
from ..models.streaming import Listener
from ..query.answer import Answer, Step, Trace
from ..query.prompts import CHAT_DATES, CHAT_SYSTEM, ChatMessage
from ..store.escaping import label
from ..store.turns import Session, Turn

_ROLES = ("system", "user", "assistant")


async def ask_directly(
    llm: LLM, sessions: Iterable[Session], question: str, question_date: str | None, system: str | None,
    budget: Budget | None, listener: Listener | None, today: str,
) -> Answer:  # fmt: skip
    """Send a model the whole history with the date of each session, then the question.

    Args:
        llm: The model that answers.
        sessions: The history, in order.
        question: The question.
        question_date: The day on which it is asked, or None.
        system: The assistant's system prompt, which follows our own, or None.
        budget: As for `LLM.complete`.
        listener: Receives the answer in pieces, or None.
        today: The current day, which is given to the model.

    Returns:
        The answer. If the model's token limit cut the reply off, its `error` says so.

    Raises:
        ModelError, BudgetExceeded: As for `LLM.complete`.
    """
    asked = f"{question} (Asked on {label(question_date)}.)" if question_date else question
    messages = [opening(system, today), *as_messages(sessions), ChatMessage(role="user", content=asked)]
    started = time.perf_counter()
    reply = await llm.complete(messages, budget, listener)
    cut = f"the reply of {llm.model} was cut off at its token limit" if reply.cut else ""
    taken = reply.usage, reply.cost_usd, reply.seconds, reply.recorded
    return Answer(
        reply.text.strip(), usage=reply.usage, cost_usd=reply.cost_usd, seconds=time.perf_counter() - started,
        trace=Trace((Step(reply.text, (), "", (), *taken, thoughts=reply.thoughts),)), error=cut, model=llm.label,
    )  # fmt: skip


def opening(system: str | None, today: str) -> ChatMessage:
    """Return the system message of a chat that contains a history. `today` is the current day.

    An assistant's own `system` prompt is in the same message, because some servers accept only one system message.
    """
    parts = [CHAT_SYSTEM, system, CHAT_DATES.format(today=label(today))]
    return {"role": "system", "content": "\n\n".join(filter(None, parts))}


def as_messages(sessions: Iterable[Session]) -> Iterator[ChatMessage]:
    """Yield the history as chat messages, which have one of three roles. A dated session begins with its marker."""
    for session in sessions:
        if session.date is not None and session.turns:
            yield {"role": "user", "content": session.marker}
        yield from map(as_message, session.turns)


def as_message(turn: Turn) -> ChatMessage:
    """Return a turn as a chat message.

    >>> as_message(Turn(1, 1, "moderator", "Order!", "")), as_message(Turn(2, 1, "user", "Hi", "", "Ada"))
    ({'role': 'user', 'content': 'moderator: Order!'}, {'role': 'user', 'content': 'Ada: Hi'})
    """
    role = turn.role if turn.role in _ROLES else "user"
    speaker = turn.name or ("" if role == turn.role else turn.role)
    return {"role": role, "content": f"{speaker}: {turn.content}" if speaker else turn.content}
