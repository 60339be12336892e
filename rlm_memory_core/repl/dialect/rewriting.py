"""From the Python that models write to the Python that the sandbox knows, where that can be done without changing it.

A rewrite keeps what a program does, or is not made: the sandbox then refuses the
construct, and `rlm_memory_core.repl.sandbox_errors` says what to write instead. Errors keep the
original's line numbers. Nothing is run here; a source that this Python cannot parse is passed on as it is.

What is rewritten: imports of the modules in `rlm_memory_core.repl.stdlib`; functions that the sandbox's own modules
lack; `del`; a bound method as `key=`; `globals()`; `map`, thread pools and `asyncio.to_thread` over functions that ask
sub-agents, with awaiting twins of these functions, so that their calls are in flight together; `sorted`, `min`, `max`,
`filter`, `map`, `takewhile`, `groupby` and the like by what may reach the host (`reaching`); `any`, `all` and `next`
of generator expressions that ask (`lazy`); and generator functions that touch nothing outside themselves, which run to
their end when called.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from .. import stdlib as sandbox
from .edits import Edits
from .program import Known

MAX_CODE_CHARACTERS = 100_000
_LINE = re.compile(r'(File "[^"]*", line )(\d+)')


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A program for the sandbox.

    Args:
        code: The program, with as many lines as the original and those in `inserted`.
        before: Sources to run first: modules that it imports, twins of its functions.
        names: The names that it binds at its top level.
        inserted: Lines that the original does not have.
    """

    code: str
    before: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    inserted: tuple[int, ...] = ()

    def as_written(self, error: str) -> str:
        """An error's text with the line numbers of the original.

        >>> Rewritten("@a\\ndef f(): 1 / 0", inserted=(1,)).as_written('File "in", line 2, in f')
        'File "in", line 1, in f'
        """
        first = _LINE.search(error)

        def original(match: re.Match[str]) -> str:
            if first is None or match[1] != first[1]:
                return match[0]  # of another program
            line = int(match[2])
            return f"{match[1]}{line - sum(1 for place in self.inserted if place <= line)}"

        return _LINE.sub(original, error) if self.inserted else error


class Rewriter:
    """Rewrites the programs of one session, in order.

    Args:
        known: What the session starts with; each program adds what it binds.

    >>> Rewriter(Known()).rewrite("import math, statistics").code
    'import math; statistics = _rlm_statistics'
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._loaded: set[str] = set()

    def rewrite(self, code: str) -> Rewritten:
        """The program as the sandbox can run it."""
        names: tuple[str, ...] = ()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(code)
            names = tuple(self._known.begin(tree))
            edits = Edits(self._known, code)
            edits.visit(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Rewritten(code, names=names)
        needed = [module for module in edits.modules if module not in self._loaded]
        self._loaded.update(needed)
        before = [sandbox.source(module) for module in needed]
        before += [ast.unparse(twin) for twin in edits.twins.values()]
        if edits.needs_names:
            before.append(f"_rlm_names = {sorted(self._known.names)!r}")
        inserted = tuple(line + number for number, line in enumerate(sorted(edits.inserted)))
        return Rewritten(edits.text(), tuple(before), names, inserted)
