"""Values by name, each made when it is first read.

What a program never reads costs nothing. A value is made once, in the caller's thread, and kept; making one must not
wait for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class ValuesWhenRead(Mapping[str, Any]):
    """A mapping whose values are made by functions, one by one as they are read.

    Args:
        makers: What makes each value, by its name.

    >>> values = ValuesWhenRead({"half": lambda: 1 / 2, "never": lambda: 1 / 0})
    >>> values["half"], "never" in values, list(values)
    (0.5, True, ['half', 'never'])
    """

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        self._makers = makers
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers  # Mapping's own would make it

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)
