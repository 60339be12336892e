"""Lets a notebook leave out what rests on missing data, and run the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pandas as pd

from ..data.assets import DataBroken, DataUnavailable, one_line

_T = TypeVar("_T")
_P = ParamSpec("_P")


def at_hand(what: str, load: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """Returns what `load` returns, or prints in one line that its data is missing and returns None.

    Args:
        what: The name of the data, to begin a sentence.
        load: Called with the further arguments.

    Raises:
        DataBroken: The data is there but cannot be used.

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
    """Returns the table of a source, or None, which a notebook does not show, if the source is missing.

    Example:
        >>> told(pd.DataFrame, None) is None
        True
    """
    return None if source is None else table(source)
