"""Parses the authors' evaluation logs into frames: one row per question and method, every figure as printed.

A log that is incomplete, or has a line that the parser does not understand, raises an error with the line's
number: nothing is skipped. The logs cut predictions at 80 characters. `paper_logs` finds the files.
"""

import re
from typing import Any, NamedTuple

import pandas as pd

from ..data.assets import DataUnavailable

CUT = 80
"""Characters of a prediction that the logs keep."""


class Settings(NamedTuple):
    """The head of a log: questions that the sample was drawn from, and characters that truncation keeps."""

    population: int
    window: int


COLUMNS = (
    "question_id question_type turns characters question gold"
    " method em f1 judge seconds tokens retrieved prediction cut crashed"
).split()
"""The columns of a parsed log; a figure that a log does not print is missing."""

_HEADER = re.compile(
    r"\[(?P<number>\d+)/(?P<total>\d+)\] id=(?P<question_id>\S+) \| type=(?P<question_type>[\w-]+)(?: \(\w+\))?"
    r" \| turns=(?P<turns>\d+) \| chars=(?P<characters>\d[\d,]*)\n"
    r"  Q: (?P<question>.*)\n"
    r"  A: (?P<gold>.*)\n"
)
_ANSWER_START = r"  (?P<label>[\w-]+)(?: \([^)\n]+\))?: +EM="
_ANSWER = re.compile(
    _ANSWER_START + r"(?P<em>\d\.\d+) F1=(?P<f1>\d\.\d+)(?: judge=(?P<judge>\d\.\d+))?"
    r" \| (?P<seconds>\d+\.\d+)s(?: \| (?P<tokens>\d+) tok)?(?: \| retrieved=(?P<retrieved>\d+) turns)?"
    # A prediction may have several lines: it ends where the next answer starts, or the question ends.
    rf" \| '(?P<prediction>.*?)'\n(?={_ANSWER_START.replace('?P<label>', '')}|\n*\Z)",
    re.DOTALL,
)
_BLOCK = re.compile(r"^(?=\[\d+/\d+\] )", re.MULTILINE)
_END = re.compile(r"^Results saved to: ", re.MULTILINE)
_PUBLISHED = re.compile(r"^  (\S.*?) {2,}(\S.*?) +(\d\.\d+)  (\S.*?)(?: +←.*)?$", re.MULTILINE)
_POPULATION = re.compile(r"^ +Loaded (\d+) samples", re.MULTILINE)
_WINDOW = re.compile(r"^ +Truncation window: (\d[\d,]*) chars", re.MULTILINE)
_FIGURES = ("em", "f1", "judge", "seconds", "tokens", "retrieved")


def parse_log(text: str, name: str = "the log") -> pd.DataFrame:
    """Every answer of a log, in the log's order.

    Args:
        text: The whole log.
        name: The log's name in error messages.

    Returns:
        `COLUMNS`, one row per question and method. `method` is the log's own label, such
        as "RLM"; `em`, `f1` and the other figures are as printed, so F1 has four digits.
        `cut` marks a prediction that may go on, `crashed` one that is an error message.

    Raises:
        DataUnavailable: A line does not parse, a question is missing or has other methods than the
            first, or the log stops early. The message is one line with the log's name and the line.

    Example:
        >>> parse_log(text).groupby("method")["em"].mean()  # doctest: +SKIP
    """
    end = _END.search(text)
    starts = [match.start() for match in _BLOCK.finditer(text, 0, end.start() if end else len(text))]
    if end is None or not starts:
        raise DataUnavailable(f"{name} {'holds no questions' if end else 'stops before its results'}: is it whole?")
    rows: list[dict[str, Any]] = []
    labels: list[str] = []
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], end.start()], strict=True), start=1):
        answers = _question(text, start, stop, number, len(starts), name)
        labels = labels or [answer["method"] for answer in answers]
        if [answer["method"] for answer in answers] != labels:
            raise _refuse(name, text, start, f"question {number} is not answered by {', '.join(labels)} alone")
        rows += answers
    return pd.DataFrame(rows, columns=COLUMNS)


def parse_published(text: str) -> pd.DataFrame:
    """The published systems that a log lists at its end, if any: system, model, em, training."""
    _, _, listed = text.partition("--- Published LongMemEval Results")
    frame = pd.DataFrame(_PUBLISHED.findall(listed), columns=["system", "model", "em", "training"])
    return frame.astype({"em": float})


def parse_settings(text: str, name: str = "the log") -> Settings:
    """The settings that the head of a log prints.

    Raises:
        DataUnavailable: The head does not print them.
    """
    population, window = _POPULATION.search(text), _WINDOW.search(text)
    if population is None or window is None:
        raise DataUnavailable(f"{name} does not say at its head how many samples were loaded, and the window")
    return Settings(int(population[1]), int(window[1].replace(",", "")))


def _question(text: str, start: int, stop: int, number: int, total: int, name: str) -> list[dict[str, Any]]:
    header = _HEADER.match(text, start, stop)
    if header is None:
        raise _refuse(name, text, start, f"question {number} does not start as questions do")
    if (int(header["number"]), int(header["total"])) != (number, total):
        raise _refuse(
            name, text, start, f"found question {header['number']}/{header['total']}, expected {number}/{total}"
        )
    about = header.groupdict() | {
        "turns": int(header["turns"]),
        "characters": int(header["characters"].replace(",", "")),
    }
    del about["number"], about["total"]
    rows, position = [], header.end()
    while found := _ANSWER.match(text, position, stop):
        rows.append(about | _answer(found))
        position = found.end()
    if not rows or text[position:stop].strip():
        raise _refuse(name, text, position, f"an answer to question {number} ({about['question_id']}) does not parse")
    return rows


def _answer(found: re.Match[str]) -> dict[str, Any]:
    figures = {figure: float(found[figure]) if found[figure] else float("nan") for figure in _FIGURES}
    prediction = found["prediction"]
    return {
        "method": found["label"],
        **figures,
        "prediction": prediction,
        "cut": len(prediction) == CUT,
        "crashed": prediction.startswith("[ERROR"),
    }


def _refuse(name: str, text: str, position: int, reason: str) -> DataUnavailable:
    return DataUnavailable(f"{name}, line {text.count(chr(10), 0, position) + 1}: {reason}")
