"""Explains the sandbox's errors to the model: what happened, and what to write instead.

The sandbox's own message says what it could not do. A model that reads only that tries the same again. `hint` names
the alternative.
"""

from __future__ import annotations

import re

import pydantic_monty as monty

IMPORTABLE = (
    "re, json, datetime, math, collections, itertools, functools, statistics, string, textwrap, difflib, calendar, "
    "dateutil, operator, heapq, bisect, random, copy, decimal, csv, dataclasses, typing, asyncio, concurrent.futures"
)

_HINTS = [
    (r"support yield", "append to a list and return it, in place of yield: there are no generator "
     "functions here"),
    (r"'del' statement", "write x = None in place of del x, d.pop(key) in place of del d[key]"),
    (r"class inheritance", "write a class without a base class: a dict or a @dataclass for records, namedtuple('P', "
     "'a b') for NamedTuple, plain constants for an Enum, ValueError('why') for an exception of your own"),
    (r"method decorators", "write a plain method, or a function outside the class"),
    (r"cannot suspend in this", "call sub-agents in a loop or a comprehension first, keep the replies in a list, and "
     "sort or filter that"),
    (r"gather\(\) does not yet support", "leave out return_exceptions; a sub-agent that fails replies NOT_READ"),
    (r"async context managers|module 'asyncio' has no|from 'asyncio'",
     "use llm_query_parallel(sessions, session_dates, question), or ThreadPoolExecutor().map(llm_query, prompts); it "
     "needs no limit of its own"),
    (r"async (for|generators|comprehension)", "use a plain loop: llm_query needs no await"),
    (r"object can't be awaited", "llm_query and llm_query_parallel return at once with their reply: leave out await"),
    (r"exception groups", "use except, in place of except*"),
    (r"Wildcard imports", "name what you import"),
    (r"No module named '(numpy|pandas|scipy|sklearn|nltk|spacy)", "use lists, dicts, collections.Counter, statistics "
     "and sorted()"),
    (r"No module named '(traceback|logging|warnings)", "print(repr(error)) in an except block"),
    (r"No module named '(enum|abc)", "use plain constants and plain classes"),
    (r"No module named '(requests|urllib|http|socket|openai|anthropic|subprocess|multiprocessing|shutil|tempfile|glob)",
     "there are no files, no network and no processes here: the history is in `sessions`, and llm_query(prompt) asks "
     "a model"),
    (r"No module named '(io|pathlib|tempfile)", "keep text in a variable, and join lists of lines"),
    (r"No module named|is not a package", f"these can be imported: {IMPORTABLE}"),
    (r"cannot import name 'OrderedDict'", "use a dict: it keeps its order"),
    (r"cannot import name '(NamedTuple|TypedDict)'", "use collections.namedtuple, a @dataclass or a dict"),
    (r"__dict__", "name the attributes: {'a': item.a, 'b': item.b}"),
    (r"cannot import name '(cmp_to_key|total_ordering)'|no attribute 'cmp_to_key'",
     "use sorted(key=...), with a tuple as the key"),
    (r"cannot import name", "write the few lines yourself: that part of the module is not here"),
    (r"name '(input|help|breakpoint)' is not defined", "nobody is there to answer: read `question` and `sessions`"),
    (r"name '(sessions|session_dates|history_turns|context)' is not defined", "the history is too large to be copied "
     "here: take positions from rank_sessions(question, k), and a text with get_session(position)"),
    (r"name '(exit|quit)' is not defined|module 'sys' has no attribute 'exit'|SystemExit", "the code just ends; "
     "FINAL(answer) ends the query"),
    (r"name '(dir|vars|super|compile|__import__|memoryview|bytearray|delattr|property|staticmethod|classmethod|ascii|"
     r"__builtins__)' is not defined", "write it without this: it is not part of this Python"),
    (r"PermissionError|'open' is not|Path\.", "there are no files here: the history is in `sessions`, `context` and "
     "`history_turns`"),
    (r"'(datetime\.now|date\.today)'|there is no clock", "use question_date, the day on which the question is asked"),
    (r"is not supported in this environment", "there is no system to reach here: everything is in the variables and "
     "functions that you were told of"),
    (r"has no len\(\)|not supported between instances of '([A-Z]\w*)' and '\1'", "classes here know no "
     "__len__, __gt__ and the like: write a method, or sorted(key=...)"),
    (r"module '\w+' has no attribute '\w+'|has no attribute '__(name|doc|dict|class)__'", "that part is not here: "
     "write the few lines yourself"),
    (r"object has no attribute '(\w+)'$", "where you pass a method on, write a lambda that calls it"),
    (r"'list' object is not an iterator", "a generator expression is a list here: iter(...) around it for next()"),
    (r"RecursionError", "write a loop with a list as its stack"),
    (r"memory limit|MemoryError", "keep less at once: read session by session, and print less"),
    (r"time limit", "does the loop end? Loop over `sessions` once, and do less in one block"),
    (r"exceptions can only be called with", "give an exception one text: ValueError('why')"),
    (r"SyntaxError", "write the whole block again"),
    (r"not yet support", "write it in a plainer way"),
]  # fmt: skip
_BROKEN = re.compile(r"suspension limit|was terminated")  # in a RuntimeError or a MemoryError of the sandbox
_COMPILED = [(re.compile(pattern), text) for pattern, text in _HINTS]


def hint(error: str) -> str:
    """What to write instead, for the text of an error; "" if there is no advice.

    >>> hint("NotImplementedError: The monty syntax parser does not yet support the 'del' statement")
    'Instead: write x = None in place of del x, d.pop(key) in place of del d[key].'
    >>> hint("KeyError: 'a'")
    ''
    """
    last = error.strip().rpartition("\n")[2]
    return next((f"Instead: {text}." for pattern, text in _COMPILED if pattern.search(last)), "")


def describe(error: monty.MontyError, run_seconds: float) -> str:
    """The text of an error for the model, with advice where there is some."""
    if isinstance(error, monty.MontyCrashedError):
        text = f"RuntimeError: the Python worker died: {error}"
        if error.timed_out:
            text = f"TimeoutError: time limit exceeded: more than {run_seconds:g} s"
    else:
        display = getattr(error, "display", None)
        text = str(display("traceback")) if display else str(error)
    return "\n".join(filter(None, (text, hint(text))))


def is_session_lost(error: monty.MontyError) -> bool:
    """Whether the session cannot be used after this error."""
    if isinstance(error, monty.MontyRuntimeError):
        raised = error.exception()
        is_limit = type(raised) in (RuntimeError, MemoryError) and _BROKEN.search(str(raised)) is not None
        return is_limit or isinstance(raised, TimeoutError)
    return not isinstance(error, monty.MontySyntaxError)
