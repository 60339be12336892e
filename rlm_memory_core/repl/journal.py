"""Records a query's runs, so that a lost session can be restored and no reply is paid for twice.

The sandbox is deterministic: the same code with the same answers creates the same variables. A `Journal` keeps the code
of each run and the answers that it received. `repl` runs the code again.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from .limits import measure

_MAX_CHARACTERS = 32_000_000  # of code and answers; beyond it, a query that loses its worker loses its variables too

Key = tuple[str, bytes]  # identifies a call: its function and a digest of its arguments
Result = dict[str, Any]


class Past:
    """One run: its code, and the answers of host functions."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.size = len(code)
        self.answers: list[tuple[Key, Result, bool]] = []  # the flag marks replies from sub-agents

    def add(self, key: Key, result: Result, is_reply: bool) -> None:
        """Record the answer of a host function. `is_reply` marks a reply from a sub-agent."""
        self.size += measure(result.get("return_value")).characters
        if is_reply or self.size <= _MAX_CHARACTERS:
            self.answers.append((key, result, is_reply))

    def replay(self) -> Callable[[Key], Result]:
        """Return a function that repeats the recorded answers, one for each call. Unknown calls get an error."""
        waiting: dict[Key, deque[Result]] = defaultdict(deque)
        for key, result, _ in self.answers:
            waiting[key].append(result)

        def answer(key: Key) -> Result:
            return waiting[key].popleft() if waiting[key] else {"exception": RuntimeError("not asked before")}

        return answer


class Journal:
    """The runs of one query, and the replies in lost runs.

    `runs` is None once they are too large to keep.
    """

    def __init__(self) -> None:
        self.runs: list[Past] | None = []
        self._size = 0
        self._paid: dict[Key, Result] = {}

    @property
    def lost(self) -> list[str]:
        """Replies from sub-agents in lost runs, in order."""
        found: list[str] = []
        for result in self._paid.values():
            value = result.get("return_value")
            found += [str(item) for item in value] if isinstance(value, list) else [str(value)]
        return found

    def keep(self, past: Past) -> None:
        """Record a run that did not lose its session."""
        if self.runs is not None:
            self._size += past.size
            self.runs = [*self.runs, past] if self._size <= _MAX_CHARACTERS else None

    def lose(self, past: Past) -> None:
        """Keep the replies from sub-agents in a run that lost its session."""
        replies = {key: result for key, result, is_reply in past.answers if is_reply}
        self._paid.update({key: result for key, result in replies.items() if "return_value" in result})

    def known(self, key: Key) -> Result | None:
        """Return the reply that a sub-agent gave to the same call in a lost run, or None."""
        return self._paid.get(key)
