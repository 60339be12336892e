from rlm_memory_core.models import background
from rlm_memory_core.repl.lazy_values import ValuesWhenRead
from rlm_memory_core.repl.repl import Repl


class Noting(ValuesWhenRead):
    """Values that are their names, with a note of which were made."""

    def __init__(self, *names):
        self.made = []
        super().__init__({name: lambda name=name: self._noted(name) for name in names})

    def _noted(self, name):
        self.made.append(name)
        return name


def test_a_value_is_made_once_and_only_by_being_read():
    values = Noting("a", "b")
    assert ("a" in values, "z" in values, list(values), len(values)) == (True, False, ["a", "b"], 2)
    assert values.made == []
    assert [values["a"], values["a"], values.get("z")] == ["a", "a", None]
    assert values.made == ["a"]
    assert values == {"a": "a", "b": "b"}


def test_the_repl_makes_what_its_code_reads():
    values = Noting("sessions", "context")

    async def session(*codes):
        async with Repl(values, {}) as repl:
            return [(await repl.run(code)).output for code in codes]

    assert background.run(session("print(1)", "print(sessions)", "print(sessions)")) == ["1\n", *2 * ["sessions\n"]]
    assert values.made == ["sessions"]
