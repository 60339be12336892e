"""All texts that are sent to models, and nothing else. The long ones are in `prompts.toml`.

A prompt is plain text with a few tags (`<session>`, `<history>`, `<question>`, `<output>`), which separate the record
from instructions. A tag within the record gets a backslash.
"""

import tomllib
from collections.abc import Sequence
from importlib.resources import files

from ..models.types import UNKNOWN as UNKNOWN
from ..models.types import ChatMessage as ChatMessage
from ..store.escaping import escape_tags, label

NOT_FOUND = "NOT_FOUND"  # the reply of a sub-agent whose session says nothing about the question
NOT_READ = "NOT_READ"  # what the code gets instead of a reply if a sub-agent failed
CUT_OFF = "[... cut off at the model's token limit]"  # added to a reply that the model did not finish

_ALL = tomllib.loads(files(__package__).joinpath("prompts.toml").read_text(encoding="utf-8"))
_TEXTS, _PAPER, _SEARCH = _ALL["record"], _ALL["paper"], _ALL["search"]

ESCAPED = _TEXTS["ESCAPED"]
"""Explains `store.escaping` to a model."""
NOT_HERE = _PAPER["NOT_HERE"]
"""What code in the REPL cannot use; `tests/repl/test_corpus.py` checks each item."""

_TOLD = {"not_found": NOT_FOUND, "unknown": UNKNOWN, "escaped": ESCAPED}
SUBAGENT_SYSTEM, HISTORY_SYSTEM = _TEXTS["SUBAGENT"].format(**_TOLD), _TEXTS["HISTORY"].format(**_TOLD)
CHAT_SYSTEM, CHAT_DATES = _TEXTS["CHAT"].format(**_TOLD), _TEXTS["CHAT_DATES"]
CUT_REPLY, EMPTY, UNSEEN = _TEXTS["CUT_REPLY"], _TEXTS["EMPTY"], _TEXTS["UNSEEN"]
ROOT_SYSTEM, PAPER_NO_CODE, PAPER_FORCED = _PAPER["ROOT"], _PAPER["NO_CODE"], _PAPER["FORCED"].format(**_TOLD)
SEARCH_SYSTEM, SEARCH_NO_CODE, FALSE_QUOTE = _SEARCH["ROOT"], _SEARCH["NO_CODE"], _SEARCH["FALSE_QUOTE"]
SEARCH_FORCED, SEARCH_SUBAGENT_SYSTEM = _SEARCH["FORCED"].format(**_TOLD), _SEARCH["SUBAGENT"].format(**_TOLD)


def root_messages(
    question: str, question_date: str | None, sessions: int, turns: int, characters: int, parallel: bool = True,
    first: int | None = None, instructions: str | None = None,
) -> list[ChatMessage]:  # fmt: skip
    """Return the first messages to the root model (paper Section 3.1, step 3).

    Args:
        question: The user's question.
        question_date: The day on which it is asked, or None.
        sessions, turns, characters: The size of the history.
        parallel: Whether `llm_query_parallel` is offered.
        first: See `reading.Reading`. None means the paper's full scan.
        instructions: An assistant's own system prompt that says how to word the answer, or None.

    >>> [message["role"] for message in root_messages("Who?", None, sessions=1, turns=2, characters=30)]
    ['system', 'user']
    """
    subagents = "SUBAGENTS_PARALLEL" if parallel else "SUBAGENTS_SEQUENTIAL"
    system = ROOT_SYSTEM.format(
        history=f"{_PAPER['HISTORY']}\n",
        subagents=f"{_PAPER[subagents].format(llm_query=_PAPER['LLM_QUERY'], not_found=NOT_FOUND)}\n",
        steps=f"6. {_PAPER['READ_IN_WAVES'].format(first=first)}\n" if first else "",
        not_here=NOT_HERE,
        **_TOLD,
    )
    size = f"The history has {sessions} sessions, {turns} turns, {characters:,} characters."
    return conversation(system, f"{size}\n\n{question_block(question, question_date)}", instructions)


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
    size = _SEARCH["SIZE"].format(sessions=sessions, turns=turns, until=f" up to {last_date}" if last_date else "")
    user = f"{question_block(question, question_date)}\n{size}\n{output_block(opening)}"
    return conversation(system, user, instructions)


def session_prompt(session: str, date: str | None, question: str, question_date: str | None = None) -> str:
    """Return the prompt that asks a sub-agent to read a session (paper Section 3.1).

    >>> print(session_prompt("[Turn 1][user]: My cat is Mochi.", None, "What is my cat called?"))
    <session>
    [Turn 1][user]: My cat is Mochi.
    </session>
    <question>
    What is my cat called?
    </question>
    """
    record = f"<session{_date_attribute(date)}>\n{escape_tags(str(session))}\n</session>"
    return f"{record}\n{question_block(question, question_date)}"


def history_messages(
    history: str, question: str, question_date: str | None = None, instructions: str | None = None
) -> list[ChatMessage]:
    """Return messages that ask for an answer from a whole history in one call: the baselines (paper Section 4.2)."""
    record = f"<history>\n{escape_tags(history)}\n</history>"
    return conversation(HISTORY_SYSTEM, f"{record}\n{question_block(question, question_date)}", instructions)


def check_messages(question: str, question_date: str | None, answer: str, cited: str, new: str) -> list[ChatMessage]:
    """Return messages that ask which new turns may change an answer.

    Args:
        question, question_date: The question, and the day on which it is asked, or None.
        answer: The answer, on one line.
        cited: The quotes that it rests on, each on one line.
        new: The turns that were not seen when it was given, each on one line.
    """
    shown = output_block(f"The answer rests on:\n{cited}\nNew turns:\n{new}")
    user = f"{question_block(question, question_date)}\nAnswer: {answer}\n{shown}"
    return conversation(_SEARCH["CHECK"], user)


def unseen(is_cited: bool) -> str:
    """Return the message that stops a FINAL because its code printed something that the model had not seen."""
    return f"{UNSEEN} {_SEARCH['CITES_STAND']}" if is_cited else UNSEEN


def answer_again(turns: Sequence[int]) -> str:
    """Return the message that stops a FINAL because of new turns, which it names."""
    numbers = ", ".join(map(str, turns))
    what = f"turns {numbers} are" if len(turns) > 1 else f"turn {numbers} is"
    return f"{_SEARCH['ANSWER_AGAIN'].format(what=what)} {_SEARCH['CITES_STAND']}"


def conversation(system: str, user: str, instructions: str | None = None) -> list[ChatMessage]:
    """Return the first two messages. An assistant's own instructions come last in the system message."""
    if instructions:
        system = f"{system}\n\n{_TEXTS['INSTRUCTIONS'].format(system=instructions)}"
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def question_block(question: str, question_date: str | None) -> str:
    """Return the question between tags, with the day on which it is asked."""
    return f"<question{_date_attribute(question_date)}>\n{escape_tags(str(question))}\n</question>"


def output_block(output: str) -> str:
    """Return the output of code between tags."""
    return f"<output>\n{escape_tags(output)}\n</output>"


def output_message(output: str, coverage: str, remaining: int, last: str) -> str:
    """Return the message that shows the root model what its code printed.

    Args:
        output: Printed text and errors, already shortened.
        coverage: One line about the sub-agent calls of this step, or "".
        remaining: How many replies are left, including the one that must answer.
        last: The message before the reply that must answer.
    """
    parts = [output_block(output)]
    parts += [escape_tags(coverage)] if coverage else []  # it quotes error messages of servers
    parts.append(f"Replies left: {remaining}." if remaining > 1 else last)
    return "\n".join(parts)


def coverage_line(coverage: str, failed: int, not_read: Sequence[int]) -> str:
    """Return the line that tells the root model how its sub-agents fared and which sessions were not read.

    Args:
        coverage: The counts, with the reasons for failures.
        failed, not_read: How many sub-agents failed, and the numbers of the sessions that they did not read.

    >>> coverage_line("asked 2 ..., 1 failed (1x no answer)", 1, [4])
    'Sub-agents: asked 2 ..., 1 failed (1x no answer). Where one failed, its reply is "NOT_READ"; not read: session 4.'
    """
    if not failed:
        return f"Sub-agents: {coverage}."
    sessions = f"; not read: session {', '.join(map(str, not_read))}" if not_read else ""
    return f'Sub-agents: {coverage}. Where one failed, its reply is "{NOT_READ}"{sessions}.'


def _date_attribute(date: str | None) -> str:
    """Return the date as a tag's attribute, after a space; "" for None."""
    return f' date="{label(str(date))}"' if date else ""
