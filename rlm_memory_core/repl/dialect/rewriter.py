"""Rewrites the programs of one session, in the order in which they run."""

from __future__ import annotations

import ast
import symtable
import warnings
from collections.abc import Collection
from typing import NamedTuple

from .. import stdlib
from .rules import HELPERS, Rules
from .text_edits import TextEdits
from .twins import LATER, write_twin

Names = Collection[str]
MAX_CODE_CHARACTERS = 100_000


class Rewritten(NamedTuple):
    """A program for the sandbox.

    Args:
        code: The program, with the lines of the original.
        before: Sources to run first: modules that it imports, twins of its functions.
        names: The names that it binds at its top level.
    """

    code: str
    before: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Rewriter:
    """Rewrites programs and remembers what they have bound.

    Args:
        subagents: Host functions that ask sub-agents.
        at_once: Whether several of their calls may run at once.
        given: Names of values and of all host functions.
        hosts: Host functions other than sub-agents.

    >>> Rewriter().rewrite("import math, statistics").code
    'import math; statistics = _rlm_statistics'
    """

    def __init__(self, subagents: Names = (), at_once: bool = True, given: Names = (), hosts: Names = ()) -> None:
        self._bound: dict[str, None] = dict.fromkeys(given)
        self._modules: dict[str, str] = {}
        self._hosts = frozenset((*subagents, *hosts))
        self._asking = set(subagents) if at_once else set()
        self._loaded: set[str] = set()

    def rewrite(self, code: str) -> Rewritten:
        """The program as the sandbox can run it; as it is if it cannot be read or rewritten."""
        code = code.replace("\r\n", "\n").replace("\r", "\n")
        names: tuple[str, ...] = ()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(code)
                names = _top_level_names(code, tree)
                rewritten = self._rewrite(code, tree, names)
                if rewritten.code != code:
                    ast.parse(rewritten.code)
            return rewritten
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
            return Rewritten(code, (), names)

    def _rewrite(self, code: str, tree: ast.Module, names: tuple[str, ...]) -> Rewritten:
        self._bound.update(dict.fromkeys(names))
        edits = TextEdits(code)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        bound = [*_stored_names(tree), *(function.name for function in functions)]
        stale = self._asking & set(bound)
        self._modules = {name: module for name, module in self._modules.items() if name not in {*names, *bound}}
        self._asking -= stale
        twins = [f"{LATER}{name} = None" for name in sorted(stale)]
        rules = Rules(edits, self._bound.keys() | bound, set(bound), self._modules, self._hosts, self._asking)
        for statement in tree.body:
            rules.visit(statement)
            if isinstance(statement, ast.FunctionDef) and bound.count(statement.name) == 1:
                twin = write_twin(statement, self._asking, edits)
                if twin:
                    twins.append(twin)
                    self._asking.add(statement.name)
        before = [stdlib.source(module) for module in rules.modules if module not in self._loaded]
        self._loaded.update(rules.modules)
        missing = rules.missing - self._bound.keys()
        before += [f"{name} = {HELPERS}.{name}" for name in sorted(missing - {"globals"})]
        if "globals" in missing:
            before.append(f"globals = lambda: {HELPERS}.names({list(self._bound)!r})")
        return Rewritten(edits.text(), (*before, *twins), names)


def _top_level_names(code: str, tree: ast.Module) -> tuple[str, ...]:
    """The names that a program binds at its top level or as globals."""
    symbols = symtable.symtable(code, "program", "exec").get_symbols()
    names = [each.get_name() for each in symbols if each.is_assigned() or each.is_imported()]
    names += [name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names]
    return tuple(dict.fromkeys(names))


def _stored_names(tree: ast.Module) -> list[str]:
    """The names that a program binds anywhere, other than by an import or a `def`, as often as it does."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        elif isinstance(node, ast.arg):
            names.append(node.arg)
        elif isinstance(node, (ast.ClassDef, ast.AsyncFunctionDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
            names.append(node.name or "")
    return names
