import pytest

from rlm_memory_core.experiments.data.draws import balanced

QUESTIONS = [(f"{kind}{number}", kind) for kind, count in (("a", 10), ("b", 10), ("c", 2)) for number in range(count)]


def kinds(drawn):
    return [name[0] for name in drawn]


def test_types_take_turns_until_one_is_spent():
    assert kinds(balanced(QUESTIONS, 8, 1)) == ["a", "b", "c", "a", "b", "c", "a", "b"]


def test_a_smaller_draw_begins_a_larger_one_whatever_the_order():
    assert balanced(QUESTIONS[::-1], 20, 1)[:7] == balanced(QUESTIONS, 7, 1)
    assert balanced(QUESTIONS, 22, 1) != balanced(QUESTIONS, 22, 2)


@pytest.mark.parametrize("size", [0, 23])
def test_what_cannot_be_drawn_is_said_with_what_there_is(size):
    with pytest.raises(ValueError, match=rf"cannot draw {size} of 22 questions \(a 10, b 10, c 2\)"):
        balanced(QUESTIONS, size, 1)
