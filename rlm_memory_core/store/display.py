"""Shows objects as HTML in a notebook or as text in a terminal.

The classes of the core call these functions; `views` registers an implementation for each class. This way the core
needs no template and no import of `views`.
"""

from functools import singledispatch


@singledispatch
def as_html(shown: object) -> str | None:
    """The object as HTML for a notebook cell, or None to fall back to its text."""
    return None


@singledispatch
def as_page(shown: object) -> str:
    """The object as a complete HTML page.

    Raises:
        TypeError: No view is registered for this class.
    """
    raise TypeError(f"there is no page for {type(shown).__name__}")


@singledispatch
def as_text(shown: object) -> str:
    """The object as plain text for a terminal."""
    return repr(shown)


@singledispatch
def show(shown: object, history: object = None) -> None:
    """Display the object in a notebook, or print it in a terminal; `history` is what it is about, if it is known."""
    print(as_text(shown))
