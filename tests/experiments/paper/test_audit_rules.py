import pandas as pd
import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.experiments.paper import audit_answers, audit_costs
from rlm_memory_core.experiments.paper.checks import Check, agreement, rounded, sheet


def row(number, method="rlm", **changes):
    """One answer; the question, the gold answer and the prediction are made up."""
    return {
        "question_id": f"q{number}",
        "question_type": "multi-session",
        "turns": 500,
        "characters": 480_000,
        "question": "How many boats do I own?",
        "gold": "3",
        "method": method,
        "em": 0.0,
        "f1": 0.0,
        "judge": float("nan"),
        "seconds": 10.0,
        "tokens": 1000.0,
        "retrieved": 30.0,
        "prediction": "I don't know",
        "cut": False,
        "crashed": False,
    } | changes


def frame(*rows):
    return pd.DataFrame(list(rows))


def test_rounding_is_half_up_in_decimal():
    assert str(rounded(0.0625, 3)) == "0.063"
    assert str(rounded(0.6195, 3)) == "0.620"
    assert str(rounded(221.26, 0)) == "221"


@pytest.mark.parametrize(
    ("value", "printed", "expected"),
    [(0.6471, 0.647, "yes"), (0.61947, 0.620, "rounded twice"), (0.61944, 0.620, "no"), (0.5, 0.620, "no")],
)
def test_agreement(value, printed, expected):
    assert agreement(value, printed, 3) == expected


def test_a_sheet_has_verdicts_only_where_asked():
    table = sheet(Check("a", "1", "1", True), Check("b", "1", "2", False), Check("c", "", "3"))
    assert table["verdict"].to_dict() == {"a": "holds", "b": "does not hold", "c": ""}


def test_groups_part_where_the_count_more_than_doubles():
    counts = [100, 180, 360, 721, 5000, 9000]
    table = audit_costs.token_groups(frame(*(row(i, tokens=float(count)) for i, count in enumerate(counts))))
    assert table.index.tolist() == ["100 to 360", "721 to 721", "5,000 to 9,000"]
    assert table["questions"].tolist() == ["3", "1", "2"]


def test_waves_round_up():
    assert audit_costs.waves(50, (20, 25, 50, 100))["waves"].tolist() == ["3", "2", "1", "1"]


def test_prefixes_are_those_of_a_serialised_history():
    with MemoryStore() as store:
        said = [("user", "I sail."), ("assistant", "Noted.")] * 5
        store.extend(said)
        shift = sum(len(str(turn)) - len(str(turn - 1)) for turn in range(1, 11))  # our store counts from 1
        overhead = len(store.to_string()) - sum(len(content) for _, content in said)
    assert audit_costs.prefix_characters(5) == overhead - shift


def test_paired_counts_who_alone_was_right_and_leaves_crashes_out():
    pairs = [(1, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    rows = [row(i, em=float(first)) for i, (first, _) in enumerate(pairs)]
    rows += [row(i, "rag", em=float(second), crashed=i == 0) for i, (_, second) in enumerate(pairs)]
    table = audit_answers.paired(frame(*rows))
    assert table.loc["all", ["n", "only rlm", "only rag", "McNemar p"]].tolist() == ["5", "2", "1", "1.00"]
    assert table.loc["neither crashed", ["n", "rlm right", "rag right", "only rlm"]].tolist() == ["4", "2", "2", "1"]


def test_crashed_calls_that_repeat_the_figures_before_are_told():
    rows = [row(0, "rag", seconds=3.0), row(1, "rag", seconds=3.0, crashed=True, em=1.0)]
    rows.append(row(2, "rag", seconds=4.0, crashed=True))
    table = audit_answers.crashes(frame(*rows))
    assert table["tokens and seconds"].to_dict() == {"q1": "as before", "q2": "its own"}
    assert table["EM"].to_dict() == {"q1": "1", "q2": "0"}


@pytest.mark.parametrize(
    ("question", "gold", "prediction", "rule"),
    [
        ("How many boats do I own?", "4", "four boats: a dinghy, a sloop and two canoes", "all of it"),
        ("How many boats do I own?", "You own four boats.", "4", "all of it"),
        ("What did I buy?", "a red silk scarf", "A scarf of red silk, in Lyon.", "all of it"),
        ("Which came first, the sloop or the dinghy?", "the dinghy", "dinghy, then the sloop", "all of it"),
        ("What did I attend?", "University of Turku in Finland", "You attended the University of Turku.", "no more"),
        ("Did I go with a friend?", "No, you did not go with a friend.", "Yes, you went with a friend.", None),
        ("How long did I sail?", "two weeks", "three weeks", None),
        ("How many boats do I own?", "4", "5", None),
        ("Where did I study?", "Turku", "I don't know", None),
        ("How many?", "4", "", None),
    ],
)
def test_rules_for_the_same_answer_in_other_words(question, gold, prediction, rule):
    found = audit_answers.other_words(frame(row(0, question=question, gold=gold, prediction=prediction)))
    assert found["rule"].tolist() == ([rule] if rule else [])


def test_a_cut_prediction_is_not_taken_for_all_that_was_said():
    said = {"question": "Where did I study?", "gold": "University of Turku in Finland", "prediction": "Turku"}
    assert len(audit_answers.other_words(frame(row(0, **said)))) == 1
    assert len(audit_answers.other_words(frame(row(0, **said, cut=True)))) == 0


def test_only_zeros_with_an_answer_are_looked_at():
    right = {"prediction": "four", "gold": "4"}
    rows = [row(0, **right), row(1, **right, em=1.0), row(2, **right, crashed=True)]
    rows += [row(3, **right, question_type="single-session-preference"), row("4_abs", gold="Not enough is known.")]
    found = audit_answers.other_words(frame(*rows))
    assert found["rule"].to_dict() == {"q0": "all of it", "q4_abs": "rightly unanswered"}
    counts = audit_answers.to_read(frame(*rows))["questions"]
    assert counts["all zeros but preference"] == "2"
    assert sum(map(int, counts)) == 2 * int(counts["all zeros but preference"])


def test_nothing_to_look_at_is_no_error():
    rows = frame(row(0, em=1.0, gold="Turku", prediction="Turku"))
    assert audit_answers.other_words(rows).empty
    assert set(audit_answers.to_read(rows)["questions"]) == {"0"}
    assert audit_answers.doubtful_hits(rows).empty
    assert audit_answers.doubtful_hits(frame(row(0))).empty
    assert audit_answers.crashes(rows, "rlm").empty


def test_hits_that_list_other_numbers_are_doubtful():
    hit = {"em": 1.0, "gold": "7:30"}
    rows = [row(0, **hit, prediction="7:30, 8:00 or 8:30"), row(1, **hit, prediction="At 7:30, of course")]
    rows.append(row(2, em=1.0, gold="Turku", prediction="Turku, in 1999"))
    assert audit_answers.doubtful_hits(frame(*rows))["other numbers"].to_dict() == {"q0": "2"}
