"""The command `rlm-memory ask`: answers a question about a history with evidence, or chats.

It prints answers to standard output and everything else to standard error. Only a chat adds to the history.
"""

import argparse
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..chat.memory_chat import MemoryChat
from ..imports import is_store
from ..models.budget import Budget, BudgetExceeded
from ..models.llm import LLM, ModelError, connect
from ..models.wording import first_line
from ..query.answer import Answer
from ..query.engine import MemoryRLM
from ..query.reading import Reading
from ..store.dates import parse_date
from ..store.memory_store import MemoryStore
from ..views.answer import answer_json, answer_text
from .common import UNANSWERED, Refused, note, printable, rates_of, refusing, say
from .history_files import history
from .waiting import Waiting


def ask(options: argparse.Namespace) -> int:
    """Answer the question, or chat; return the exit code."""
    if bool((options.question or "").strip()) == options.chat:
        raise Refused("give a question, or --chat without one")
    if options.question_date is not None and parse_date(options.question_date) is None:
        raise Refused(f"--question-date {options.question_date!r} cannot be read as a date; write 2023-05-30")
    waiting = Waiting(options.timeout)
    with refusing(ValueError):
        llm = connect(
            options.model, options.base_url, recorded=options.recorded, rates=rates_of(options.prices),
            timeout=options.timeout, max_tokens=options.max_tokens, wrap=waiting.watch,
        )  # fmt: skip
        how = {"budget": Budget(usd=options.budget), "reading": Reading(options.reading, first=options.first)}
    if options.budget is not None and llm.rates is None:
        raise Refused(f"--budget needs a price, and that of {llm.model} is not known; give --prices")
    waiting.whom = f"{llm.label} at {first_line(llm.base_url)}" if llm.base_url else llm.label
    llm.open()  # reports a missing key before reading the history
    return (_chat if options.chat else _answer)(options, llm, waiting, how)


def _answer(options: argparse.Namespace, llm: LLM, waiting: Waiting, how: dict[str, Any]) -> int:
    with waiting, history(options.history) as store, refusing(ValueError):
        answer = MemoryRLM(llm, **how).query(store, options.question, options.question_date)
    if options.json:
        asked = {"question": options.question, "question_date": options.question_date}
        say(json.dumps(asked | answer_json(answer), ensure_ascii=False))
    else:
        say(answer_text(answer, opened=False, all_in="with --json", another="--model gpt-4o-mini"))
    return _end(options, answer)


def _chat(options: argparse.Namespace, llm: LLM, waiting: Waiting, how: dict[str, Any]) -> int:
    """Answer each line of standard input as a message. The chat is added to a store, but not to other files."""
    if options.history == "-":
        raise Refused("a chat reads its messages from standard input; give the history as a file")
    path = Path(options.history)
    grows = is_store(path) or (path.suffix == ".db" and not path.exists())
    code, prompt = 0, "> " if sys.stdin.isatty() else ""
    with MemoryStore(path) if grows else history(options.history) as store, suppress(EOFError):  # Ctrl-D
        chat = MemoryChat(llm, store=store, **how)
        kept = f"stored in {path}" if grows else "forgotten at the end"
        note(f"{llm.label} answers; {len(store):,} turns so far, {kept}; Ctrl-D ends the chat")
        while True:
            if not (message := input(prompt)).strip():
                continue
            try:
                with waiting:
                    answer = chat.send(message)
            except (ModelError, BudgetExceeded, ValueError) as error:  # the last: too large for --reading paper
                note(str(error))
                code = UNANSWERED
            else:
                say(answer.text)
                code = _end(options, answer)
    return code


def _end(options: argparse.Namespace, answer: Answer) -> int:
    """Print the trace and why the answer ended early; return the exit code."""
    if options.trace:
        print(printable(str(answer.trace)), file=sys.stderr)
    if answer.error:
        note(f"the query ended early: {answer.error}")
    return UNANSWERED if answer.error else 0
