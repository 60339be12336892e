"""Lets the caller leave out what needs missing data, and do the rest."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pandas as pd

from ..data.assets import DataBroken, DataUnavailable, one_line

_T = TypeVar("_T")
_P = ParamSpec("_P")


def at_hand(what: str, load: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """Returns what `load` returns; if its data is missing, prints a line that says so and returns None.

    Args:
        what: The data's name, in the plural, to begin the printed sentence; "" prints nothing.
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
        if what:
            print(f"{what} are missing, so everything that needs them is left out: {one_line(error)}")
        return None


def told(table: Callable[[_T], pd.DataFrame], source: _T | None) -> pd.DataFrame | None:
    """Returns `table(source)`; returns None, which a notebook does not show, if there is no source.

    Example:
        >>> told(pd.DataFrame, None) is None
        True
    """
    return None if source is None else table(source)
