"""Divides many items into batches."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def batched(items: Iterable[_T], size: Callable[[_T], int], most: int, largest: int) -> Iterator[list[_T]]:
    """Yield lists of items, in order.

    Args:
        items: Read as they are needed.
        size: Returns the size of an item.
        most: The most items of a batch.
        largest: The largest sum of sizes in a batch. An item that is larger is a batch of its own.

    >>> list(batched(["one", "two", "three"], len, 2, 6)), list(batched(["a", "b", "longer"], len, 2, 1))
    ([['one', 'two'], ['three']], [['a'], ['b'], ['longer']])
    """
    batch: list[_T] = []
    total = 0
    for item in items:
        if batch and (len(batch) == most or total + size(item) > largest):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size(item)
    if batch:
        yield batch
