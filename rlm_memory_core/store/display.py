"""Shows objects as HTML in a notebook or as text in a terminal.

The classes of the core call these functions, and `views` registers an implementation for each class. This way, the core
needs no templates and does not import `views`.
"""

from functools import singledispatch


@singledispatch
def as_html(shown: object, is_page: bool = False) -> str | None:
    """Return the object as HTML, or None to use its text instead.

    Args:
        shown: The object.
        is_page: Whether to return a complete page instead of HTML for a notebook cell. Only traces have one.
    """
    return None


@singledispatch
def as_text(shown: object) -> str:
    """Return the object as plain text for a terminal."""
    return repr(shown)


@singledispatch
def show(shown: object, history: object = None) -> None:
    """Display the object in a notebook, or print it in a terminal. `history` is the history it is about, if known."""
    print(as_text(shown))
