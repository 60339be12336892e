"""What a notebook shows only where its source is at hand: the rest of it runs without."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pandas as pd

from ..data.assets import DataBroken, DataUnavailable, one_line

_T = TypeVar("_T")
_P = ParamSpec("_P")


def at_hand(what: str, load: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """Load a source, or say in one line that it is not there.

    Args:
        what: Names the source, at the start of a sentence.
        load: Loads it, from the further arguments.

    Returns:
        The source, or None where it is not at hand.

    Raises:
        DataBroken: It is there, but damaged.

    Example:
        >>> at_hand("The numbers", list, [1, 2])
        [1, 2]
    """
    try:
        return load(*args, **kwargs)
    except DataBroken:
        raise
    except DataUnavailable as error:
        print(f"{what} are not at hand, so that what rests on them is left out: {one_line(error)}")
        return None


def told(table: Callable[[_T], pd.DataFrame], source: _T | None) -> pd.DataFrame | None:
    """The table that a source gives, or None, which a notebook does not show, where the source is not at hand.

    Example:
        >>> told(pd.DataFrame, None) is None
        True
    """
    return None if source is None else table(source)
