"""Prompts for the root model and the sub-agents of the search reading."""

from collections.abc import Sequence

from . import record
from .record import UNKNOWN, ChatMessage

_TEXTS = record.read_texts("search.txt")
SEARCH_SYSTEM = _TEXTS["ROOT"]
SEARCH_SUBAGENT_SYSTEM = _TEXTS["SUBAGENT"].format(not_found=record.NOT_FOUND, escaped=record.ESCAPED)
NO_CODE, FALSE_QUOTE = _TEXTS["NO_CODE"], _TEXTS["FALSE_QUOTE"]
FORCED = _TEXTS["FORCED"].format(unknown=UNKNOWN)


def search_messages(
    question: str, question_date: str | None, sessions: int, turns: int, last_date: str | None, opening: str,
    replies: int, read_tokens: int, instructions: str | None = None,
) -> list[ChatMessage]:  # fmt: skip
    """Return the first messages to the root model.

    Args:
        question: The user's question.
        question_date: The day on which it is asked, or None.
        sessions, turns: The size of the history.
        last_date: The date of the last session, or None.
        opening: The output of a first search for the question.
        replies: How many replies the model may give.
        read_tokens: How many tokens a sub-agent uses on average to read a session.
        instructions: An assistant's own system prompt that says how to word the answer, or None.
    """
    system = SEARCH_SYSTEM.format(replies=replies, read_tokens=read_tokens, unknown=UNKNOWN)
    size = _TEXTS["SIZE"].format(sessions=sessions, turns=turns, until=f" up to {last_date}" if last_date else "")
    user = f"{record.question_block(question, question_date)}\n{size}\n{record.output_block(opening)}"
    return record.conversation(system, user, instructions)


def check_messages(question: str, question_date: str | None, answer: str, cited: str, new: str) -> list[ChatMessage]:
    """Return messages that ask which new turns may change an answer.

    Args:
        question, question_date: The question, and the day on which it is asked, or None.
        answer: The answer, on one line.
        cited: The quotes that it rests on, each on one line.
        new: The turns that were not seen when it was given, each on one line.
    """
    shown = record.output_block(f"The answer rests on:\n{cited}\nNew turns:\n{new}")
    user = f"{record.question_block(question, question_date)}\nAnswer: {answer}\n{shown}"
    return record.conversation(_TEXTS["CHECK"], user)


def unseen(is_cited: bool) -> str:
    """Return the message that stops a FINAL because its code printed something that the model had not seen."""
    return f"{record.UNSEEN} {_TEXTS['CITES_STAND']}" if is_cited else record.UNSEEN


def answer_again(turns: Sequence[int]) -> str:
    """Return the message that stops a FINAL because of new turns, which it names."""
    numbers = ", ".join(map(str, turns))
    what = f"turns {numbers} are" if len(turns) > 1 else f"turn {numbers} is"
    return f"{_TEXTS['ANSWER_AGAIN'].format(what=what)} {_TEXTS['CITES_STAND']}"
