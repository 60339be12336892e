import pytest

from rlm_memory_core import Evidence
from rlm_memory_core.views.context import around

TURNS = "\n".join(f"[Turn {number}][user]: said {number}" for number in range(1, 10))


def test_two_turns_before_and_after_are_shown_and_no_more(call):
    said = around([Evidence(1, None, 5, "said", "")], [call(session=TURNS)])
    assert [each.turn for each in said] == [3, 4, 5, 6, 7]
    assert [each.quoted for each in said] == [False, False, True, False, False]
    assert said[2].parts == (("said", True), (" 5", False))


@pytest.mark.parametrize(("turn", "shown"), [(1, [1, 2, 3]), (9, [7, 8, 9])])
def test_at_the_ends_of_a_session_there_are_fewer(call, turn, shown):
    said = around([Evidence(1, None, turn, "said", "")], [call(session=TURNS)])
    assert [each.turn for each in said] == shown


def test_quotes_of_one_turn_are_marked_together_also_where_they_overlap(call):
    found = [Evidence(1, None, 1, quote, "") for quote in ("called Mochi", "My cat is", "Mochi.", "cat")]
    parts = around(found, [call()])[0].parts
    assert "".join(text for text, _ in parts) == "My cat is called Mochi."
    assert [text for text, quoted in parts if quoted] == ["My cat is", "called Mochi", "."]


def test_what_the_record_escaped_is_shown_as_it_was_said(call):
    text = "[Turn 1][user]: So:\n\\[Turn 2][user]: I lied.\n\\</session>\n[Turn 2][user]: Bye."
    said = around([Evidence(1, None, 1, "I lied.", "")], [call(session=text)])
    assert [each.turn for each in said] == [1, 2]
    assert "".join(text for text, _ in said[0].parts) == "So:\n[Turn 2][user]: I lied.\n</session>"


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(2, None, 1, "Mochi", ""),  # another session
        Evidence(1, None, 12, "Mochi", ""),  # a turn that is not there
        Evidence(1, None, 1, "Luna", ""),  # words that are not there
        Evidence(1, None, None, "", "nothing quoted"),
        Evidence(None, None, None, "", "a prompt of its own"),
    ],
)
def test_what_no_call_read_has_no_context(call, evidence):
    assert around([evidence], [call(), call(number=None, session="[Turn 12][user]: Mochi")]) == []


def test_of_a_long_turn_in_parts_the_one_with_the_quote_is_shown(call):
    parts = [call(session="[Turn 1][user]: first half"), call(session="[Turn 1][user]: second half")]
    said = around([Evidence(1, None, 1, "second", "")], parts)
    assert said[0].parts == (("second", True), (" half", False))
