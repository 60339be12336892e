"""Divides items into batches."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def batched(items: Iterable[_T], size: Callable[[_T], int], most: int, largest: int) -> Iterator[list[_T]]:
    """Yield lists of items, in order.

    Args:
        items: The items. They are read only as needed.
        size: Returns the size of an item.
        most: The maximum number of items in a batch.
        largest: The maximum sum of sizes in a batch. A larger item forms a batch by itself.

    >>> list(batched(["one", "two", "three"], len, 2, 6)), list(batched(["a", "b", "longer"], len, 2, 1))
    ([['one', 'two'], ['three']], [['a'], ['b'], ['longer']])
    """
    batch: list[_T] = []
    total = 0
    for item in items:
        length = size(item)
        if batch and (len(batch) == most or total + length > largest):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += length
    if batch:
        yield batch
