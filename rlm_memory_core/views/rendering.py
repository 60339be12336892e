"""What all views share: escaping templates, clipped texts, and numbers in words.

A view is an HTML fragment without scripts or external resources. Seconds and replays differ from run to run. HTML puts
them in elements of class `rlm-run`, and plain text in brackets, as in `[1.2 s]`. `notebooks/nbval.cfg` removes both
before outputs are compared.
"""

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

# control characters, and those that change the text direction or end lines: views show their codes
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]")


def render(template: str, **values: Any) -> str:
    """Fill in a template of the package. Every value is escaped.

    Args:
        template: The template's name in `templates/`, without `.html.j2`.
        values: The template's variables. A missing one raises an error.
    """
    return _environment().get_template(f"{template}.html.j2").render(**values).strip()


def show(html: str, text: str) -> None:
    """Display the HTML in a notebook, or print the text anywhere else."""
    ipython = sys.modules.get("IPython")  # in a notebook it is already imported
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display({"text/html": html, "text/plain": text}, raw=True)
    else:
        print(text)


def clip(text: str, limit: int) -> str:
    r"""Return a text for display. Long texts keep only their beginning and end, and control characters become codes.

    Args:
        text: Any text.
        limit: The maximum number of characters to keep.

    >>> clip("abcdefghij", 4), clip("red: \x1b[31m", 80)
    ('abc [… 6 characters …] j', 'red: \\x1b[31m')
    """
    if len(text) > limit:
        tail = limit // 4
        text = f"{text[: limit - tail]} [… {len(text) - limit:,} characters …] {text[len(text) - tail :]}"
    return _CONTROL.sub(_spelled_out, text.replace("\r\n", "\n"))


def in_one_line(text: str, limit: int) -> str:
    r"""Return the beginning of a text as one line of at most `limit` characters.

    >>> in_one_line("My cat\n is called Mochi.", 12)
    'My cat is c…'
    """
    line = clip(" ".join(text[: 4 * limit].split()), 4 * limit)
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1] + "…"


def duration(seconds: float) -> str:
    """Format seconds with two or three digits.

    >>> duration(0.0123), duration(1.234), duration(75.2)
    ('12 ms', '1.2 s', '75 s')
    """
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:,.0f} s"


def dollars(cost: float | None) -> str:
    """Format a cost. None means that the price is unknown.

    >>> dollars(0.0), dollars(0.000034), dollars(1.5), dollars(None)
    ('$0', '$0.000034', '$1.50', 'cost not known')
    """
    if cost is None:
        return "cost not known"
    if cost >= 1 or cost == 0:
        return f"${cost:,.2f}" if cost else "$0"
    return f"${cost:.6f}".rstrip("0") if cost >= 0.000001 else "under $0.000001"


def counted(number: int, noun: str) -> str:
    """Format a number with its noun, in the plural if necessary.

    >>> counted(1, "token"), counted(12_345, "token")
    ('1 token', '12,345 tokens')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _spelled_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import (
        Environment,
        PackageLoader,
        StrictUndefined,
    )  # imported late: it is slow, and most programs show nothing

    environment = Environment(
        loader=PackageLoader("rlm_memory_core.views", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"clip": clip, "in_one_line": in_one_line, "duration": duration, "dollars": dollars, "counted": counted}
    environment.filters.update(filters)
    return environment
