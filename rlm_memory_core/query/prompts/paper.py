"""Prompts for the root model of the paper's reading (paper Section 3.1) and of the ranked readings based on it."""

from . import record
from .record import UNKNOWN, ChatMessage, read_texts

NOT_HERE = (
    "files, network, input(), numpy and pandas, base classes (of exceptions and Enum too), decorated methods, "
    "generators that print, ask or do not end"
)
"""What code in the REPL cannot use; `tests/repl/test_corpus.py` checks each item."""

_TEXTS = read_texts("paper.txt")
ROOT_SYSTEM, NO_CODE = _TEXTS["ROOT"], _TEXTS["NO_CODE"]
FORCED = _TEXTS["FORCED"].format(unknown=UNKNOWN)


def root_messages(
    question: str, question_date: str | None, *, sessions: int, turns: int, characters: int, parallel: bool = True,
    copied: bool = True, first: int | None = None, instructions: str | None = None,
) -> list[ChatMessage]:  # fmt: skip
    """Return the first messages to the root model (paper Section 3.1, step 3).

    Args:
        question: The user's question.
        question_date: The day on which it is asked, or None.
        sessions, turns, characters: The size of the history.
        parallel: Whether `llm_query_parallel` is offered.
        copied: Whether the REPL has a copy of the texts, or only functions that read them.
        first: See `reading.Reading`. None means the paper's full scan.
        instructions: An assistant's own system prompt that says how to word the answer, or None.

    >>> [message["role"] for message in root_messages("Who?", None, sessions=1, turns=2, characters=30)]
    ['system', 'user']
    """
    subagents = "SUBAGENTS_PARALLEL" if parallel else "SUBAGENTS_SEQUENTIAL"
    system = ROOT_SYSTEM.format(
        history=f"{_TEXTS['HISTORY_COPIED' if copied else 'HISTORY_REACHED']}\n",
        subagents=f"{_TEXTS[subagents].format(llm_query=_TEXTS['LLM_QUERY'], not_found=record.NOT_FOUND)}\n",
        steps=f"6. {_TEXTS['READ_IN_WAVES'].format(first=first)}\n" if first else "",
        unknown=UNKNOWN,
        escaped=record.ESCAPED,
        not_here=NOT_HERE,
    )
    size = f"The history has {sessions} sessions, {turns} turns, {characters:,} characters."
    return record.conversation(system, f"{size}\n\n{record.question_block(question, question_date)}", instructions)
