"""Answers a question about a short history by one call, with the whole history as a chat in the model's context."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..models.budget import Budget
from ..models.llm import LLM
from ..models.streaming import Listener
from ..query.answer import Answer
from ..query.prompts import ChatMessage, chat_system
from ..query.trace import Step, Trace
from ..store.escaping import label
from ..store.turns import Turn

_ROLES = ("system", "user", "assistant")


async def ask_directly(
    llm: LLM,
    turns: Iterable[Turn],
    question: str,
    question_date: str | None = None,
    system: str | None = None,
    budget: Budget | None = None,
    listener: Listener | None = None,
) -> Answer:
    """Ask a model with all turns before the question.

    Args:
        llm: The model that answers.
        turns: The history, in order.
        question: What is asked.
        question_date: The day on which it is asked, or None.
        system: An assistant's system prompt, which follows our own, or None.
        budget: As for `LLM.complete`.
        listener: Receives the answer in pieces, or None.

    Returns:
        The answer; its `error` says so if the model's token limit cut the reply off.

    Raises:
        ModelError, BudgetExceeded: As for `LLM.complete`.
    """
    asked = f"{question} (Asked on {label(question_date)}.)" if question_date else question
    messages = [chat_system(system), *map(as_message, turns), ChatMessage(role="user", content=asked)]
    started = time.perf_counter()
    reply = await llm.complete(messages, budget, listener)
    cut = f"the reply of {llm.model} was cut off at its token limit" if reply.cut else ""
    step = Step(reply.text, (), "", (), reply.usage, reply.cost_usd, reply.seconds, reply.recorded)
    text, usage, dollars = reply.text.strip(), reply.usage, reply.cost_usd
    took, trace = time.perf_counter() - started, Trace((step,))
    return Answer(text, usage=usage, cost_usd=dollars, seconds=took, trace=trace, error=cut, model=llm.label)


def as_message(turn: Turn) -> ChatMessage:
    """A turn as a message of the chat protocol, which has three roles.

    >>> as_message(Turn(1, 1, "moderator", "Order!", ""))
    {'role': 'user', 'content': 'moderator: Order!'}
    """
    if turn.role in _ROLES:
        return {"role": turn.role, "content": turn.content}
    return {"role": "user", "content": f"{turn.role}: {turn.content}"}
