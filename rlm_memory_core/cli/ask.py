"""The command `rlm-memory ask`: answers one question about a history, and shows the evidence.

The answer and its evidence go to standard output. Progress goes to standard error, and only to a terminal. The history
is never changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..imports import HistoryFileError, open_history, read_messages
from ..models.budget import Budget
from ..models.llm import connect
from ..query.answer import Answer
from ..query.engine import MemoryRLM
from ..query.evidence import Evidence, supporting
from ..query.reading import Reading
from ..query.subagents import Call
from ..store.dates import parse_date
from ..store.memory_store import MemoryStore
from ..views.rendering import clip
from .common import UNANSWERED, Refused, add_model, rates_of

_SHOWN = 10  # pieces of evidence shown as text; --json has all
_WIDTH = 200  # characters shown of a quote, and of the sub-agent's words about it
_LARGE = 20_000_000  # bytes; a larger file takes seconds to read, so the command says so
_EVIDENCE = ("session", "date", "turn", "quote", "text")  # fields in the JSON
_COVERAGE = ("asked", "found", "not_found", "failed", "cut", "copies")

JSON_KEYS = """\
--json prints one object:
  question, question_date, model
  answer              the text
  error               why the query ended early, or ""
  evidence            a list of {session, date, turn, quote, text}; unknown fields are null
  coverage            {asked, found, not_found, failed: {reason: count}, cut, copies}
  false_quotes        how many quotes were dropped because they are not in the history
  sessions_read       how many sessions the sub-agents read
  sessions            how many sessions the history has
  calls, replayed_calls, prompt_tokens, completion_tokens
  cost_usd            null if the price is not known
  seconds

Exit codes: 0 answered; 1 ended early, such as by a spent budget; 2 not answered, with one line that says why.
"""


def add_parser(commands: Any) -> None:
    """Add `ask` to the command line's `commands`."""
    summary = "answer a question about a history, and show the evidence"
    ask = commands.add_parser(
        "ask",
        help=summary,
        description=f"{summary.capitalize()}.",
        epilog=JSON_KEYS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ask.set_defaults(command=_ask)
    history = "a store, messages as JSON or JSON Lines, or a ChatGPT or ShareGPT export; - reads standard input"
    ask.add_argument("history", metavar="HISTORY", help=history)
    ask.add_argument("question", metavar="QUESTION", help="the question")
    add_model(ask)
    ask.add_argument("--question-date", metavar="DATE", help="the day of the question, such as 2023-05-30")
    way = "search (the default): the model searches by itself; paper: sub-agents read all sessions"
    ask.add_argument("--reading", choices=("search", "paper"), help=way)
    first = "in the paper's reading: the K best-ranked sessions first, and others only if those do not answer"
    ask.add_argument("--first", type=int, metavar="K", help=first)
    ask.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    ask.add_argument("--trace", action="store_true", help="print the model's messages and code to standard error")


def _ask(options: argparse.Namespace) -> int:
    if not options.question.strip():
        raise Refused("the question is empty")
    try:
        llm = connect(options.model, options.base_url, rates=rates_of(options.prices))
        reading = Reading(options.reading, first=options.first)
    except ValueError as error:
        raise Refused(error) from error
    if options.budget is not None and llm.rates is None:
        raise Refused(f"--budget needs a price, and that of {llm.model} is not known; give --prices")
    if options.question_date is not None and parse_date(options.question_date) is None:
        raise Refused(f"--question-date {options.question_date!r} cannot be read as a date; write 2023-05-30")
    budget = None if options.budget is None else Budget(usd=options.budget)
    with _history(options.history) as store, _Bar(llm.label) as bar:
        llm.open()
        engine = MemoryRLM(llm, budget=budget, reading=reading)
        answer = engine.query(store, options.question, options.question_date, progress=bar)
    if options.json:
        _say(json.dumps(_as_json(options, llm.label, answer), ensure_ascii=False))
    else:
        _say("\n".join(map(_printable, _lines(llm.label, answer))))
    if options.trace:
        print(_printable(str(answer.trace)), file=sys.stderr)
    if answer.error:
        print(f"rlm-memory: the query ended early: {answer.error}", file=sys.stderr)
        return UNANSWERED
    return 0


@contextmanager
def _history(named: str) -> Iterator[MemoryStore]:
    """Open the history that the user named."""
    try:
        if named == "-":
            with read_messages(sys.stdin.buffer.read(), "standard input", _note) as store:
                yield store
            return
        path = Path(named)
        if not path.exists():
            hint = "; download it first, and give the file" if "://" in named else ""
            raise Refused(f"there is no file {named}{hint}")
        if path.is_dir():
            raise Refused(f"{path} is a folder; name the history's file in it")
        if path.stat().st_size > _LARGE and sys.stderr.isatty():
            _note(f"reading {path} ({path.stat().st_size / 1e6:,.0f} MB) ...")
        with open_history(path, _note) as store:
            yield store
    except HistoryFileError as error:
        raise Refused(error) from error


class _Bar:
    """Shows the sub-agents' progress on a terminal, and nothing elsewhere."""

    def __init__(self, model: str) -> None:
        self._found = 0
        self._bar = tqdm(
            total=0,
            desc=model,
            bar_format="{desc}: {n_fmt} of {total_fmt} sub-agents |{bar:24}| {elapsed}{postfix}",
            leave=False,
            mininterval=0,
            disable=None,  # off unless standard error is a terminal
        )

    def asked(self) -> None:
        """Count one more call to wait for."""
        self._bar.total += 1
        self._bar.refresh()

    def answered(self, call: Call) -> None:
        """Count a call that has ended."""
        self._found += call.found
        self._bar.set_postfix_str(f"{self._found} found something", refresh=False)
        self._bar.update()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _lines(model: str, answer: Answer) -> Iterator[str]:
    """The answer as text: what it says, its evidence, and what it cost."""
    yield answer.text
    if answer.evidence:
        yield "\nEvidence:"
        support, others = supporting(answer.text, answer.evidence)
        yield from map(_evidence_line, (*support, *others)[:_SHOWN])
        if len(answer.evidence) > _SHOWN:
            yield f"  … and {len(answer.evidence) - _SHOWN:,} more (--json has all)"
    yield f"\n{_cost_line(model, answer)}"


def _evidence_line(found: Evidence) -> str:
    places = [
        f"session {found.session}" if found.session else "",
        found.date or "",
        f"turn {found.turn}" if found.turn else "",
    ]
    place = ", ".join(filter(None, places)) or "a prompt of the model's own"
    quote = f'"{clip(_one_line(found.quote), _WIDTH)}"' if found.quote else ""
    said = "" if found.text.strip() in ("", found.quote.strip()) else clip(_one_line(found.text), _WIDTH)
    return f"  {place}: {' - '.join(filter(None, (quote, said)))}"


def _cost_line(model: str, answer: Answer) -> str:
    replayed = _replayed(answer)
    parts = [
        f"{answer.usage.calls} calls{f' ({replayed} replayed from the record)' if replayed else ''}",
        f"{answer.usage.total_tokens:,} tokens",
        "cost not known" if answer.cost_usd is None else f"${answer.cost_usd:.4f}",
        f"{answer.seconds:.1f} s",
    ]
    false = f"; {answer.false_quotes} false quotes dropped" if answer.false_quotes else ""
    return f"{model}: {', '.join(parts)}; {answer.coverage}{f'; {answer.read}' if answer.read else ''}{false}"


def _replayed(answer: Answer) -> int:
    steps, calls = answer.trace.steps, answer.trace.calls
    return sum(step.recorded for step in steps) + sum(call.recorded for call in calls)


def _as_json(options: argparse.Namespace, model: str, answer: Answer) -> dict[str, Any]:
    return {
        "question": options.question,
        "question_date": options.question_date,
        "model": model,
        "answer": answer.text,
        "error": answer.error,
        "evidence": [{name: getattr(each, name) for name in _EVIDENCE} for each in answer.evidence],
        "coverage": {name: getattr(answer.coverage, name) for name in _COVERAGE},
        "false_quotes": answer.false_quotes,
        "sessions_read": len(answer.sessions_read),
        "sessions": answer.sessions,
        "calls": answer.usage.calls,
        "replayed_calls": _replayed(answer),
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "cost_usd": answer.cost_usd,
        "seconds": answer.seconds,
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _printable(text: str) -> str:
    """Replace characters that control a terminal: a history may contain any."""
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def _note(line: str) -> None:
    print(_printable(f"rlm-memory: {line}"), file=sys.stderr)


def _say(text: str) -> None:
    """Print; characters that the terminal's encoding lacks become question marks."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))
