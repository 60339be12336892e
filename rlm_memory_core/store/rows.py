"""A sequence that reads its items when they are asked for, so that a large history stays on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

_T = TypeVar("_T")
_BLOCK = 1000  # items read at once while iterating


class Rows(Sequence[_T], Generic[_T]):
    """A lazy sequence.

    Args:
        count: Returns how many items there are now.
        fetch: Returns the items from one position up to another.

    >>> squares = Rows(lambda: 100, lambda start, stop: iter([number**2 for number in range(start, stop)]))
    >>> squares[3], squares[-2:], len(squares)
    (9, [9604, 9801], 100)
    """

    def __init__(self, count: Callable[[], int], fetch: Callable[[int, int], Iterator[_T]]) -> None:
        self._count = count
        self._fetch = fetch

    def __len__(self) -> int:
        return self._count()

    def __iter__(self) -> Iterator[_T]:
        count = len(self)
        for start in range(0, count, _BLOCK):
            yield from self._fetch(start, min(start + _BLOCK, count))

    @overload
    def __getitem__(self, position: int) -> _T: ...
    @overload
    def __getitem__(self, position: slice) -> list[_T]: ...
    def __getitem__(self, position: int | slice) -> _T | list[_T]:
        places = range(len(self))[position]
        if isinstance(places, int):
            return next(self._fetch(places, places + 1))
        if places.step == 1:
            return list(self._fetch(places.start, max(places.start, places.stop)))
        return [self[place] for place in places]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} items>"
