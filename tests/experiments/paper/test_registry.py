import math
import os
import re
from collections import Counter
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path

import paper_text
import pytest

from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper.formulas import evaluate

KINDS = ("measured", "derived", "cited", "data")
UNITS = set(
    "share percent points x tokens characters turns sessions samples runs calls iterations seconds usd "
    "facts failures categories abilities phrases pages megabytes".split()
)
RECOMPUTES = re.compile(r"(run_100|adaptive_100|rag_100|niah|synthetic)(:[\w-]+){3,4}")
PAPER = Path(os.environ.get("RLM_MEMORY_DATA", "")).parent / "paper"
with_the_paper = pytest.mark.skipif(
    not (PAPER / "paper.md").is_file(), reason="the paper's text is not beside $RLM_MEMORY_DATA, in ../paper/paper.md"
)


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


def test_every_id_is_listed_once():
    text = Path(paper.__file__).with_name("paper.toml").read_text(encoding="utf-8")
    assert text.count("[[number]]") == len(paper.register())


def test_every_entry_is_consistent():
    for number in paper.register().values():
        assert number.kind in KINDS, number.id
        assert number.unit in UNITS, number.id
        assert number.bound in ("", "about", "at least", "at most", "range"), number.id
        assert number.digits >= 0, number.id
        assert math.isfinite(number.value), number.id
        assert round(number.value, number.digits) == number.value, number.id
        assert {bool(number.row), bool(number.column)} == {not number.text}, number.id
        assert not number.recomputes or RECOMPUTES.fullmatch(number.recomputes), number.id
        assert (number.published is not None) == bool(number.cites), number.id


def test_a_repeated_number_has_its_evidence_in_one_place():
    for number in paper.register().values():
        if number.repeats:
            origin = paper.register()[number.repeats]
            assert not origin.repeats, number.id
            assert origin.kind == number.kind, number.id
            assert [number.formula, number.recomputes, number.published] == ["", "", None], number.id
        else:
            assert (number.kind == "derived") == bool(number.formula), number.id


def test_formulas_use_listed_numbers_and_do_not_run_in_a_circle():
    register = paper.register()
    graph = {name: set(re.findall(r'n\("(.+?)"\)', number.formula)) for name, number in register.items()}
    for name, used in graph.items():
        assert used <= register.keys(), name
        if register[name].formula:
            assert math.isfinite(paper.derive(register[name], register))
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ('n("a") - n("a")', (-2, 2)),  # two uses count as independent
        ('n("a") * 2 - 20', (-14, -10)),
        ('min(n("a"), 4)', (3, 4)),
        ('max(n("a"), 4)', (4, 5)),
    ],
)
def test_formulas_are_worked_out_on_ranges(formula, expected):
    assert evaluate(formula, lambda name: (3.0, 5.0)) == pytest.approx(expected)


def test_nothing_agrees_with_a_division_by_zero():
    low, high = evaluate('1 / n("a")', lambda name: (-1.0, 1.0))
    assert low != low
    assert high != high


@pytest.mark.parametrize("formula", ["open('x')", "n(a)", "n('a').real", "2 ** 9", "True", "min(1)", "round(1)"])
def test_formulas_hold_arithmetic_alone(formula):
    with pytest.raises(ValueError, match="formula may not hold"):
        evaluate(formula, lambda name: (1.0, 1.0))
