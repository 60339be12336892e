"""Prompts for the root model and the sub-agents of the search reading."""

from .record import ESCAPED, NOT_FOUND, UNKNOWN, ChatMessage, conversation, output_block, question_block, read_texts

_TEXTS = read_texts("search.txt")
SEARCH_SYSTEM = _TEXTS["ROOT"]
SEARCH_SUBAGENT_SYSTEM = _TEXTS["SUBAGENT"].format(not_found=NOT_FOUND, escaped=ESCAPED)
NO_CODE, FALSE_QUOTE, CITES_STAND = _TEXTS["NO_CODE"], _TEXTS["FALSE_QUOTE"], f" {_TEXTS['CITES_STAND']}"
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
    user = f"{question_block(question, question_date)}\n{size}\n{output_block(opening)}"
    return conversation(system, user, instructions)
