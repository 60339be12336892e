"""What the root model and the sub-agents of the search reading are told."""

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
    """Open the conversation with the root model.

    Args:
        question: The user's question.
        question_date: The day on which it is asked, or None.
        sessions, turns: The size of the history.
        last_date: The date of the last session, or None.
        opening: What a first search for the question shows.
        replies: How many replies the model has.
        read_tokens: What a sub-agent that reads one session costs on average.
        instructions: An assistant's own system prompt, which says how the answer is worded, or None.
    """
    system = SEARCH_SYSTEM.format(replies=replies, read_tokens=read_tokens, unknown=UNKNOWN)
    size = _TEXTS["SIZE"].format(sessions=sessions, turns=turns, until=f" up to {last_date}" if last_date else "")
    user = f"{question_block(question, question_date)}\n{size}\n{output_block(opening)}"
    return conversation(system, user, instructions)
