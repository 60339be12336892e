"""Explains the sandbox's errors to the model: what happened, and what to write instead.

The sandbox's own message says only what it could not do, and a model that reads it tries the same again. `hint` names
the alternative.
"""

import re
import tomllib
from functools import cache
from importlib import resources

import pydantic_monty as monty

# these errors quote values from the history, so their text says nothing about the sandbox
_OF_DATA = ("KeyError", "ValueError", "IndexError", "AssertionError", "Exception", "StopIteration", "LookupError")
_READ = 1000  # characters read from an error's last line
# the frames of the functions in `stdlib.crossing`, the first code of a session
_OUR_FRAMES = re.compile(r'  File "<python-input-0>", line \d+, in .*\n(?:    .*\n)+')
_BROKEN = re.compile(  # sandbox errors after which the run cannot be repeated
    r"TimeoutError: feed time limit exceeded: .*|RuntimeError: suspension limit \d+ exceeded"
    r"|MemoryError: the worker exceeded its memory limit and was terminated"
)


def hint(error: str) -> str:
    """Return advice on what to write instead, given the text of an error, or "" if there is none.

    >>> hint("NotImplementedError: The monty syntax parser does not yet support the 'del' statement")
    'Instead: write x = None in place of del x, d.pop(key) in place of del d[key].'
    >>> hint("KeyError: 'a'")
    ''
    """
    last = error[-_READ:].strip().rpartition("\n")[2]
    if last.partition(":")[0] in _OF_DATA:
        return ""
    return next((f"Instead: {text}." for pattern, text in _hints() if pattern.search(last)), "")


@cache
def _hints() -> list[tuple[re.Pattern[str], str]]:
    text = resources.files(__package__).joinpath("hints.toml").read_text(encoding="utf-8")
    return [(re.compile(each["error"]), each["instead"]) for each in tomllib.loads(text)["hints"]]


def describe(error: Exception, run_seconds: float) -> str:
    """Return the text of an error for the model, with advice if there is any."""
    if isinstance(error, monty.MontyRuntimeError | monty.MontySyntaxError):
        text = _OUR_FRAMES.sub("", error.display("traceback"))
        last = error.display("type-msg")[:_READ].partition("\n")[0]
    elif isinstance(error, monty.MontyCrashedError):
        died = f"RuntimeError: the Python worker died: {error}"
        text = last = f"TimeoutError: time limit exceeded: more than {run_seconds:g} s" if error.timed_out else died
    else:
        text = last = str(error)
    return "\n".join(filter(None, (text, hint(last))))


def is_session_lost(error: Exception) -> bool:
    """Return whether this error makes the session unusable or the run impossible to repeat."""
    if isinstance(error, monty.MontyRuntimeError):
        return _BROKEN.fullmatch(error.display("type-msg")) is not None
    return not isinstance(error, monty.MontySyntaxError)
