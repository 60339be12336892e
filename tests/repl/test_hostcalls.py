import pytest

from rlm_memory_core.models import background
from rlm_memory_core.repl.repl import Repl
from rlm_memory_core.repl.values import from_start, how_many, listed


@pytest.mark.parametrize("values", [[1, 2, 3], (1, 2, 3), {1, 2, 3}, frozenset("abc"), dict.fromkeys("abc"), range(3)])
def test_whatever_holds_values_asks_as_many(values):
    assert how_many(values) == 3


@pytest.mark.parametrize("value", ["a text", b"bytes", None, 5, True, object()])
def test_all_else_asks_one(value):
    assert how_many(value) == 1


@pytest.mark.parametrize("given", [range(0, 20), range(3, -4, -2), range(10**15), range(5, 1)])
def test_a_range_crosses_as_its_text(given):
    assert listed("f", repr(given), "a list") == given
    assert how_many(repr(given)) == len(given)


@pytest.mark.parametrize(
    "text", ["range(0, 5", "range(a, 5)", "range(0, 5, 0)", f"range(0, {10**30})", "read range(0, 5)"]
)
def test_no_other_text_is_a_range(text):
    assert how_many(text) == 1
    with pytest.raises(TypeError, match="f takes a list, not text; make a list with list"):
        listed("f", text, "a list")


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


OWN = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Cat:\n    name: str\n"


@pytest.mark.parametrize("call", ["ask({Cat('Mochi')})", "ask({Cat('Mochi'): 1})", "FINAL({Cat('Mochi')})"])
def test_arguments_that_cannot_leave_the_sandbox_are_an_error_of_the_code(call):
    async def session():
        async with Repl({}, {"ask": lambda value: value}) as repl:
            return await repl.run(OWN + call), await repl.run("print('next')")

    failed, following = background.run(session())
    assert "TypeError" in failed.error
    assert (failed.final, following.output) == (None, "next\n")
