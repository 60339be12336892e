"""A LongMemEval file as rows: streamed once into Arrow files in the cache, memory-mapped from then on.

Parses, checks and writes one item at a time, so that memory stays flat for files of any size. A row holds its sessions
in date order. The gold session ids become positions of evidence; no other label is kept. `longmemeval` chooses the
questions.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ijson
from tqdm import tqdm

from rlm_memory_core.models.call_store import cache_path
from rlm_memory_core.store.times import parse_time

from .assets import DataBroken, one_line

if TYPE_CHECKING:
    from datasets import Dataset

_LAYOUT = 1  # of the rows below; a new number rebuilds the cache
_ROWS_AT_ONCE = 4  # rows buffered while building; an item of M is about 5 MB
_BLOCK = 1 << 16
_DATE = re.compile(r"\d{4}/\d\d/\d\d \(\w+\) \d\d:\d\d")
_TEXTS = ("question_id", "question_type", "question", "question_date")
_LISTS = ("haystack_session_ids", "haystack_dates", "haystack_sessions", "answer_session_ids")


def open_rows(path: Path) -> "Dataset":
    """Returns the rows of a file, built on first use and found again by its path, size and time.

    Args:
        path: A JSON array in LongMemEval's official format.

    Returns:
        One row per item: `id`, `kind`, `question`, `answer`, `question_date`,
        `evidence` (positions) and `sessions` (`date` and `turns`, each with `role` and `content`).

    Raises:
        DataBroken: The file is broken, or the cache cannot be written; nothing half-built is left.
    """
    from datasets import Dataset, Features, Value  # here: it takes a second to import

    turn = {"role": Value("string"), "content": Value("string")}
    features = Features(
        {name: Value("string") for name in ("id", "kind", "question", "answer", "question_date")}
        | {"evidence": [Value("int32")], "sessions": [{"date": Value("string"), "turns": [turn]}]}
    )
    status = path.stat()
    stamp = f"{_LAYOUT} {path} {status.st_size} {status.st_mtime_ns}"
    try:
        with _quiet():
            return Dataset.from_generator(
                _rows,
                features=features,
                cache_dir=str(cache_path() / "longmemeval"),
                gen_kwargs={"path": path},
                fingerprint=hashlib.sha256(stamp.encode()).hexdigest()[:16],
                writer_batch_size=_ROWS_AT_ONCE,
            )
    except Exception as error:  # datasets wraps whatever happens in a generator
        cause = error.__cause__ or error
        if isinstance(cause, DataBroken):
            raise cause from None
        raise DataBroken(f"{path} could not be prepared in {cache_path()}: {one_line(cause)}") from error


def parse_date(text: str) -> datetime:
    """Parses a date in LongMemEval's format.

    Raises:
        ValueError: The text has another format.

    Example:
        >>> parse_date("2023/04/10 (Mon) 17:50").isoformat()
        '2023-04-10T17:50:00'
    """
    when = parse_time(text) if _DATE.fullmatch(text) else None
    if when is None:
        raise ValueError(f"date {text!r} is not like '2023/04/10 (Mon) 17:50'")
    return when


@contextmanager
def _quiet() -> Iterator[None]:
    """Switches off the progress bars of `datasets`; ours counts bytes."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    number = 0
    with path.open("rb") as file, tqdm(total=path.stat().st_size, unit="B", unit_scale=True, disable=None) as bar:
        if file.read(_BLOCK).lstrip()[:1] != b"[":  # ijson would find no items in an object, and say nothing
            raise DataBroken(f"{path} is not a JSON array of LongMemEval items")
        file.seek(0)
        try:
            for item in ijson.items(file, "item", use_float=True):
                number += 1
                yield _row(item)
                bar.update(file.tell() - bar.n)
        except (ijson.JSONError, UnicodeDecodeError) as error:
            fault = str(error).splitlines()[0]  # the other lines draw an arrow
            raise DataBroken(f"{path} is broken after item {number}: {fault}") from error
        except (TypeError, ValueError) as error:
            raise DataBroken(f"{path}, item {number}: {one_line(error)}") from error
    if number == 0:
        raise DataBroken(f"{path} holds no items")


def _row(item: object) -> dict[str, Any]:
    """Returns one item as a row; raises ValueError or TypeError for an item of another shape."""
    if not isinstance(item, dict):
        raise ValueError("is not an object")
    for key, kind in [(key, str) for key in _TEXTS] + [(key, list) for key in _LISTS] + [("answer", (str, int, float))]:
        if not isinstance(item.get(key), kind):
            raise ValueError(f"{key!r} is {'not right' if key in item else 'missing'}")
    ids, dates, sessions = (item[key] for key in _LISTS[:3])
    if not len(ids) == len(dates) == len(sessions):
        raise ValueError(f"{len(sessions)} sessions do not go with {len(dates)} dates and {len(ids)} ids")
    order = sorted(range(len(sessions)), key=lambda position: parse_date(dates[position]))  # stable
    gold = set(item["answer_session_ids"])
    return {
        "id": item["question_id"],
        "kind": item["question_type"],
        "question": item["question"],
        "answer": str(item["answer"]),
        "question_date": item["question_date"],
        "evidence": [place for place, position in enumerate(order) if ids[position] in gold],
        "sessions": [{"date": dates[position], "turns": list(map(_turn, sessions[position]))} for position in order],
    }


def _turn(turn: object) -> dict[str, str]:
    if not isinstance(turn, dict) or not isinstance(turn.get("role"), str) or not isinstance(turn.get("content"), str):
        raise ValueError("a turn has no 'role' or no 'content'")
    return {"role": turn["role"], "content": turn["content"]}
