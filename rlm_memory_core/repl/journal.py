"""What a query's runs did with the host, so that a lost session can be made again and no reply is paid for twice.

The sandbox is deterministic: the same code with the same answers makes the same variables. A `Journal` keeps, for each
run, its code and the answers it had. It runs nothing; `rlm_memory_core.repl.repl` does.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

_MAX_CHARACTERS = 32_000_000  # of kept answers; a query that goes beyond loses its variables with its worker

Key = tuple[str, bytes]
Result = dict[str, Any]


class Past:
    """One run: its code, and what host functions answered it, by call."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.size = len(code)
        self.replies: list[tuple[Key, Result]] = []
        self._answers: list[tuple[Key, Result]] = []

    def add(self, key: Key, result: Result, is_reply: bool) -> None:
        """A host function gave this; is_reply where a sub-agent did."""
        self.size += _size(result.get("return_value"))
        if is_reply:
            self.replies.append((key, result))
        if self.size <= _MAX_CHARACTERS:
            self._answers.append((key, result))

    def replay(self) -> Callable[[Key], Result]:
        """The answers again, one by one; an unknown call gets an error."""
        waiting: dict[Key, deque[Result]] = defaultdict(deque)
        for key, result in self._answers:
            waiting[key].append(result)

        def answer(key: Key) -> Result:
            return waiting[key].popleft() if waiting[key] else {"exception": RuntimeError("not asked before")}

        return answer


class Journal:
    """The runs of one query, and the replies of those that were lost.

    `runs` is None once they are too large to keep.
    """

    def __init__(self) -> None:
        self.runs: list[Past] | None = []
        self._size = 0
        self._paid: dict[Key, Result] = {}

    @property
    def lost(self) -> list[str]:
        """Replies of sub-agents in runs that were lost, in order."""
        found: list[str] = []
        for result in self._paid.values():
            value = result.get("return_value")
            found += [str(item) for item in value] if isinstance(value, list) else [str(value)]
        return found

    def keep(self, past: Past | None) -> None:
        """A run ended, and its variables are there."""
        if past is not None and self.runs is not None:
            self._size += past.size
            self.runs = [*self.runs, past] if self._size <= _MAX_CHARACTERS else None

    def lose(self, past: Past | None) -> None:
        """A run was lost: what sub-agents replied in it stays known."""
        if past is not None:
            self._paid.update({key: result for key, result in past.replies if "return_value" in result})

    def known(self, key: Key) -> Result | None:
        """What a sub-agent replied to the same call in a run that was lost."""
        return self._paid.get(key)

    @staticmethod
    def key(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Key:
        """Identifies a call by a digest, so that its texts need not be kept."""
        try:
            text = repr((_typed(args), _typed(kwargs)))
        except RecursionError:  # lists within lists without end
            text = ""
        return (name, blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())


def _typed(value: Any) -> Any:
    """A value of plain types, whose `repr` is the same in every run."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_typed, value))
    if isinstance(value, dict):
        return tuple((_typed(key), _typed(item)) for key, item in value.items())
    return value if isinstance(value, (str, int, float, bytes, type(None))) else type(value)


def _size(value: Any) -> int:
    """About how many characters a value holds."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value))
    return 8
