"""What the root model of the paper's reading is told (paper Section 3.1), and of the ranked readings built on it."""

from collections.abc import Sequence

from ...store.escaping import escape_tags
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
    """Open the root model's conversation (paper Section 3.1, step 3).

    Args:
        question: The user's question.
        question_date: The day on which it is asked, or None.
        sessions, turns, characters: The size of the history.
        parallel: Whether `llm_query_parallel` is offered.
        copied: Whether the REPL holds the texts, not only functions that reach them.
        first: As for `reading.Reading`; by default the paper's full scan.
        instructions: An assistant's own system prompt, which says how the answer is worded, or None.

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


def output_message(output: str, coverage: str, remaining: int, last: str = FORCED) -> str:
    """Show the root model what its code printed.

    Args:
        output: Printed text and errors, already shortened.
        coverage: One line on the sub-agent calls of this step, or "".
        remaining: How many replies are left, with the one that must answer.
        last: What it is told before the reply that must answer.
    """
    parts = [record.output_block(output)]
    parts += [escape_tags(coverage)] if coverage else []  # it quotes error messages of servers
    parts.append(f"Replies left: {remaining}." if remaining > 1 else last)
    return "\n".join(parts)


def coverage_line(coverage: str, failed: int, not_read: Sequence[int]) -> str:
    """Tell the root model what became of its sub-agents and which sessions were not read.

    Args:
        coverage: The counts, with the reasons of failures.
        failed, not_read: How many sub-agents failed, and the numbers of the sessions that they should have read.

    >>> coverage_line("asked 2 ..., 1 failed (1x no answer)", 1, [4])
    'Sub-agents: asked 2 ..., 1 failed (1x no answer). Where one failed, its reply is "NOT_READ"; not read: session 4.'
    """
    if not failed:
        return f"Sub-agents: {coverage}."
    sessions = f"; not read: session {', '.join(map(str, not_read))}" if not_read else ""
    return f'Sub-agents: {coverage}. Where one failed, its reply is "{record.NOT_READ}"{sessions}.'
