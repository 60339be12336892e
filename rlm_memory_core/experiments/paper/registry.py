"""The register: every number that the paper prints, as `paper.toml` lists them.

`scorecard` judges whether a number holds. The tests check that the register is complete and consistent.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from .formulas import Range, evaluate

_SUFFIX = {"percent": "%", "x": "×", "seconds": " s"}
_SIGN = {"about": "~", "at least": "≥ ", "at most": "≤ "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One number of the paper. The head of `paper.toml` explains each field.

    Args:
        id: The number's name, such as "table5.rlm.em".
        value: The printed value, with thousands written out.
        digits: Digits printed after the decimal point.
        unit: Such as "share", "percent" or "tokens".
        kind: "measured", "derived", "cited" or "data".
        place: Section, table or figure.
        notebook: The notebook that produces our value.
        rounded: The step that the figure is rounded to, if that is not its last digit.
        bound: "", "about", "at least", "at most" or "range".
        row, column: The headings of a table's cell, as printed.
        text: A few words that describe a number outside of a table's cells.
        formula: The formula of a derived number.
        repeats: The id of the number that it restates.
        recomputes: The figure in the authors' published files that it equals; see `recompute`.
        published: The value that the cited source prints.
        cites: The cited source.
        setting: Whether it is a setting of the experiment, which our runs copy.
        fault: Why the number does not hold as written: a few words, a colon, and the reason.
        note: Anything else that a reader should know.
    """

    id: str
    value: float
    digits: int
    unit: str
    kind: str
    place: str
    notebook: str
    rounded: float = 0
    bound: str = ""
    row: str = ""
    column: str = ""
    text: str = ""
    formula: str = ""
    repeats: str = ""
    recomputes: str = ""
    published: float | None = None
    cites: str = ""
    setting: bool = False
    fault: str = ""
    note: str = ""

    @property
    def where(self) -> str:
        """The number's place: "Table 5, RLM-MEMORY (ours), EM" or "Section 7: sample size"."""
        place = "README" if self.place == "readme" else self.place.capitalize()
        return f"{place}: {self.text}" if self.text else f"{place}, {self.row}, {self.column}"

    @property
    def printed(self) -> str:
        """The value as text, such as "~490,000" or "46%"."""
        return _SIGN.get(self.bound, "") + self.show(self.value) + self.suffix

    @property
    def suffix(self) -> str:
        """The sign of its unit after a figure, such as "%"; "" for most units."""
        return _SUFFIX.get(self.unit, "")

    @property
    def scale(self) -> float:
        """The size of one unit in results, which hold shares and never percentages."""
        return 0.01 if self.unit in ("percent", "points") else 1.0

    @property
    def range(self) -> Range:
        """All values that would be printed like this one, in its own unit."""
        half = (self.rounded or 10.0**-self.digits) / 2
        return (self.value - half, self.value + half)

    def show(self, value: float) -> str:
        """Another value in the same unit and with the same digits, such as ours."""
        return f"{value:,.{self.digits}f}"


@cache
def register() -> dict[str, Number]:
    """All numbers that the paper prints, by id, in the paper's order."""
    return parse(files(__package__).joinpath("paper.toml").read_text(encoding="utf-8"))


def value(name: str) -> float | None:
    """The printed value of an id, or None if the paper prints none.

    >>> value("table5.rlm.em")
    0.46
    """
    number = register().get(name)
    return None if number is None else number.value


def printed(name: str) -> str:
    """The printed value of an id as a cell of a table; "" if the paper prints none."""
    number = register().get(name)
    return "" if number is None else number.show(number.value)


def parse(text: str) -> dict[str, Number]:
    """The numbers of a file like `paper.toml` by id, in the file's order."""
    return {entry["id"]: Number(**entry) for entry in tomllib.loads(text)["number"]}


def source(number: Number, numbers: Mapping[str, Number]) -> Number:
    """The number that this one restates, or the number itself."""
    return numbers[number.repeats] if number.repeats else number


def derive(number: Number, numbers: Mapping[str, Number] | None = None) -> float:
    """The value of a derived number, from the printed numbers in its formula.

    Args:
        number: A derived number, or one that restates a derived number.
        numbers: The number's register; the paper's by default.

    Returns:
        The result in the number's own unit; not-a-number if the formula divides by 0.

    Raises:
        ValueError: The number has no formula.

    Example:
        >>> round(derive(register()["section5.4.gain"]), 1)
        9.2
    """
    return _work_out(number, register() if numbers is None else numbers, lambda each: (each.value, each.value))[0]


def derive_range(number: Number, numbers: Mapping[str, Number]) -> Range:
    """The range of results that the formula allows, as the numbers in it were rounded for print.

    Raises:
        ValueError: The number has no formula.

    Example:
        >>> low, high = derive_range(register()["section5.4.gain"], register())
        >>> f"{low:.2f} to {high:.2f}"
        '9.10 to 9.30'
    """
    return _work_out(number, numbers, lambda each: each.range)


def _work_out(number: Number, numbers: Mapping[str, Number], stands_for: Callable[[Number], Range]) -> Range:
    origin = source(number, numbers)
    if not origin.formula:
        raise ValueError(f"{number.id} is not derived: it has no formula")
    low, high = evaluate(origin.formula, lambda name: stands_for(numbers[name]))
    factor = origin.scale / number.scale
    return (low * factor, high * factor)
