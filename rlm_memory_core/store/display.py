"""Shows objects as HTML in a notebook or as text in a terminal.

The classes of the core call these functions, and `views` registers an implementation for each class. This way, the core
needs no templates and does not import `views`.
"""

from functools import singledispatch


@singledispatch
def as_html(shown: object) -> str | None:
    """Return the object as HTML for a notebook cell, or None to use its text instead."""
    return None


@singledispatch
def as_page(shown: object) -> str:
    """Return the object as a complete HTML page.

    Raises:
        TypeError: No view is registered for this class.
    """
    raise TypeError(f"there is no page for {type(shown).__name__}")


@singledispatch
def as_text(shown: object) -> str:
    """Return the object as plain text for a terminal."""
    return repr(shown)


@singledispatch
def show(shown: object, history: object = None) -> None:
    """Display the object in a notebook, or print it in a terminal. `history` is the history it is about, if known."""
    print(as_text(shown))
