import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import paper_text
import pytest

from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper.formulas import evaluate

PAPER = Path(os.environ.get("RLM_MEMORY_DATA", "")).parent / "paper"
with_the_paper = pytest.mark.skipif(
    not (PAPER / "paper.md").is_file(), reason="the paper's text is not beside $RLM_MEMORY_DATA, in ../paper/paper.md"
)


def entry(name="a", **changes):
    """One number in the register's format."""
    fields = {"id": name, "value": 0.46, "digits": 2, "unit": "share", "kind": "measured", "place": "section 1"}
    fields |= {"text": "EM", "notebook": "01_niah"} | changes
    lines = [f"{key} = {value if isinstance(value, int | float) else repr(value)}" for key, value in fields.items()]
    return "\n".join(["[[number]]", *lines, ""])


def listed(numbers):
    """A register's cells and loose numbers, in the form that the paper's text is read in."""
    cells, loose = {}, Counter()
    for number in numbers:
        mark = "%" if number.unit == "percent" else ""
        if number.row:
            cells[number.place, number.row, number.column] = (number.value, number.digits, mark)
        else:
            loose[number.place, number.value, mark] += 1
    return cells, loose


@pytest.fixture(scope="module")
def printed():
    """The cells and loose numbers of the paper and its README."""
    cells, loose = paper_text.paper_numbers((PAPER / "paper.md").read_text(encoding="utf-8"))
    more_cells, more_loose = paper_text.readme_numbers((PAPER / "readme.md").read_text(encoding="utf-8"))
    return cells | more_cells, loose + more_loose


@with_the_paper
def test_every_cell_of_every_table_is_listed_as_printed(printed):
    cells, _ = listed(paper.register().values())
    assert cells == printed[0]
    assert {place for place, _, _ in cells} == {*(f"table {number}" for number in range(1, 8)), "readme"}


@with_the_paper
def test_every_number_outside_the_cells_is_listed_once_for_each_time_it_is_printed(printed):
    _, loose = listed(paper.register().values())
    assert loose - printed[1] == Counter(), "listed, not printed"
    assert printed[1] - loose == Counter(), "printed, not listed"


@with_the_paper
def test_no_number_can_be_taken_out_of_the_register_or_changed_unseen(printed):
    numbers = list(paper.register().values())
    for place, number in enumerate(numbers):
        before, after = numbers[:place], numbers[place + 1 :]
        assert listed([*before, *after]) != printed, number.id
        assert listed([*before, replace(number, value=number.value + 1), *after]) != printed, number.id


def test_the_text_is_read_with_units_ranges_and_words_and_without_names():
    text = "In five question types, GPT-4o [3] read $\\sim 18$ K of 490K: 82–95% ($9\\times$), F1 −0.5."
    _, loose = paper_text.paper_numbers(f"Abstract\n{text}\nReferences\n")
    expected = [(5, ""), (18_000, ""), (490_000, ""), (82, "%"), (95, "%"), (9, ""), (-0.5, "")]
    assert loose == Counter(("abstract", value, mark) for value, mark in expected)


def test_a_number_says_where_it_stands_and_how_it_is_printed():
    register = paper.register()
    assert register["table5.rlm.em"].where == "Table 5, RLM-MEMORY (ours), EM"
    assert register["table2.rlm.200"].where == "Table 2, 200 turns, RLM-MEMORY"
    assert register["section7.samples"].where == "Section 7: sample size"
    shown = [register[name].printed for name in ("abstract.history.characters", "abstract.gain", "table5.rlm.em")]
    assert shown == ["~490,000", "9×", "0.460"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("section5.4.gain", 9.2),
        ("section5.2.f1.relative", 50.22),
        ("section5.2.failures", 5),
        ("section7.n.high", 18),
        ("section8.gap", 9.4),  # printed in percent, restates one in points
        ("readme.speedup", 55.25),
    ],
)
def test_a_derived_number_is_worked_out_in_its_own_unit(name, expected):
    assert paper.derive(paper.register()[name]) == pytest.approx(expected, abs=0.005)


def test_a_number_without_a_formula_is_not_derived():
    with pytest.raises(ValueError, match=r"^table5\.rlm\.em is not derived: it has no formula$"):
        paper.derive(paper.register()["table5.rlm.em"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (entry() + entry(), "lists a twice"),
        (entry(kind="guessed"), "a has an unknown kind, 'guessed'"),
        (entry(unit="precent"), "a has an unknown unit, 'precent'"),
        (entry(bound="nearly"), "a has an unknown bound, 'nearly'"),
        (entry(verdict="good"), "a has an unknown key, verdict"),
        (entry().replace("value = 0.46\n", ""), "a has no value"),
        (entry(value=0.4649), r"a has a value of 0\.4649 with 2 digits"),
        (entry(row="RLM"), "a needs either a row and a column, or a text"),
        (entry(text="", row="RLM"), "a needs either a row and a column, or a text"),
        (entry(recomputes="my log"), "a recomputes 'my log', which is not"),
        (entry(published=0.5), "a needs both published and cites"),
        (entry(repeats="b"), "a repeats b, which is not listed"),
        (entry(repeats="b") + entry("b", repeats="c") + entry("c"), "a repeats b, which itself repeats c"),
        (entry(repeats="b") + entry("b", kind="data"), "a is measured, but repeats b, which is data"),
        (entry(repeats="b", recomputes="niah:rlm:em:20") + entry("b"), "a repeats another number, so"),
        (entry(kind="derived"), "a is derived without a formula"),
        (entry(formula="1 + 1"), "a is measured and has a formula"),
        (entry(kind="derived", formula='n("b")'), "a is derived from b, which is not listed"),
        (entry(kind="derived", formula="open(1)"), r"a cannot be derived: a formula may not hold open\(1\)"),
        (entry(kind="derived", formula="1 +"), "a cannot be derived: the formula '1 .' is not an expression"),
        (
            entry(kind="derived", formula='n("b")') + entry("b", kind="derived", formula='n("a")'),
            "formulas run in a circle, (a <- b <- a|b <- a <- b)",
        ),
    ],
)
def test_a_broken_register_is_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match=f"^paper.toml:? {message}") as caught:
        paper.parse(text)
    assert "\n" not in str(caught.value)


def test_a_sound_register_is_read():
    derived = entry("b", kind="derived", formula='round(100 * n("a"), 1) / -2', digits=0, value=-23)
    register = paper.parse(entry() + derived)
    assert paper.derive(register["b"], register) == -23


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ('n("a") - n("a")', (-2, 2)),  # two uses count as independent
        ('-n("a") * 2', (-10, -6)),
        ('min(n("a"), 4)', (3, 4)),
        ('max(n("a"), 4)', (4, 5)),
        ("round(2.345, 2)", (2.35, 2.35)),
    ],
)
def test_formulas_are_worked_out_on_ranges(formula, expected):
    assert evaluate(formula, lambda name: (3.0, 5.0)) == pytest.approx(expected)


def test_nothing_agrees_with_a_division_by_zero():
    low, high = evaluate('1 / n("a")', lambda name: (-1.0, 1.0))
    assert low != low
    assert high != high


@pytest.mark.parametrize("formula", ["open('x')", "n(a)", "n('a').real", "2 ** 9", "True", "min(1)", "round(1, 'a')"])
def test_formulas_hold_arithmetic_alone(formula):
    with pytest.raises(ValueError, match=r"formula may not hold|round takes"):
        evaluate(formula, lambda name: (1.0, 1.0))
