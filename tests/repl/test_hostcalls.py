import pytest

from rlm_memory_core.models import background
from rlm_memory_core.repl.repl import Repl
from rlm_memory_core.repl.values import from_start, how_many, listed


def test_a_list_or_dict_asks_as_many_as_it_holds_and_all_else_asks_one():
    assert [how_many(value) for value in ([1, 2, 3], dict.fromkeys("abc"), [], "a text", None, 5, True)] == [
        3, 3, 0, 1, 1, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["range(0, 5)", {"a": 1}, None, 5])
def test_only_a_list_gives_replies_an_order(value):
    assert listed("f", [1], "a list") == [1]
    with pytest.raises(TypeError, match=r"f takes a list, not (text|dict|NoneType|int); make a list with list"):
        listed("f", value, "a list")


def test_positions_are_counted_from_either_end():
    assert [from_start(position, 3) for position in (0, 2, -1, -3)] == [0, 2, 2, 0]


@pytest.mark.parametrize("position", [3, -4, -25])
def test_a_position_that_is_not_there_is_named_as_it_was_written(position):
    with pytest.raises(IndexError, match=f"no session {position}: positions go from 0 to 2"):
        from_start(position, 3)
    with pytest.raises(IndexError, match=f"no session {position}: the history is empty"):
        from_start(position, 0)


def test_a_value_is_made_once_and_only_when_the_code_reads_it():
    made = []
    values = {name: lambda name=name: made.append(name) or name for name in ("sessions", "context")}

    async def session(*codes):
        async with Repl(values, {}) as repl:
            return [(await repl.run(code)).output for code in codes]

    assert background.run(session("print(1)", "print(sessions)", "print(sessions)")) == ["1\n", *2 * ["sessions\n"]]
    assert made == ["sessions"]
