"""Rewrites the programs of one session, in the order in which they run.

The sandbox has no threads. For each function `ask` that asks sub-agents, the rewriter therefore adds an async copy, its
twin: `async def _rlm_later_ask`, which awaits each sub-agent. A thread pool, `map` or `asyncio.to_thread` uses the twin
and runs several calls concurrently.
"""

import ast
import symtable
import warnings
from copy import deepcopy
from typing import NamedTuple

from .. import stdlib
from .rules import Names, Rules, TextEdits

MAX_CODE_CHARACTERS = 100_000
LATER = "_rlm_later_"
"""The prefix of a twin's name; the function's name follows."""

_TAKES_CALLS = {"map", "submit", "to_thread", "run_in_executor"}  # these may have several calls of a function in flight
_NAMED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class Rewritten(NamedTuple):
    """A program for the sandbox.

    Args:
        code: The program, with the same line numbers as the original.
        before: Sources to run first: the modules that it imports, and the twins of its functions.
        names: The names that it binds at the top level.
    """

    code: str
    before: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Rewriter:
    """Rewrites programs, and remembers the names that they bind.

    Args:
        subagents: The host functions that ask sub-agents.
        at_once: Whether several of their calls may run at the same time.
        given: The names of values and of all host functions.
        hosts: The host functions that do not ask sub-agents.

    >>> Rewriter().rewrite("import math, statistics").code
    'import math; statistics = _rlm_statistics'
    """

    def __init__(self, subagents: Names = (), at_once: bool = True, given: Names = (), hosts: Names = ()) -> None:
        self._bound: dict[str, None] = dict.fromkeys(given)
        self._aliases: dict[str, str] = {}
        self._hosts = frozenset((*subagents, *hosts))
        self._asking = set(subagents) if at_once else set()
        self._loaded: set[str] = set()

    def rewrite(self, code: str) -> Rewritten:
        """Rewrite a program for the sandbox. If it cannot be parsed or rewritten, return it unchanged."""
        code = code.replace("\r\n", "\n").replace("\r", "\n")
        names: tuple[str, ...] = ()
        known = deepcopy(vars(self))
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(code)
                names = _top_level_names(code, tree)
                rewritten = self._rewrite(code, tree, names)
                ast.parse(rewritten.code)
            return rewritten
        except Exception:  # the code may be any text: run it unchanged, and restore what was known
            vars(self).update(known)
            return Rewritten(code, (), names)

    def _rewrite(self, code: str, tree: ast.Module, names: tuple[str, ...]) -> Rewritten:
        self._bound.update(dict.fromkeys(names))
        local = _stored_names(tree)
        stale = self._asking.intersection(local)
        self._asking -= stale
        self._aliases = {name: module for name, module in self._aliases.items() if name not in {*names, *local}}
        extra = [f"{LATER}{name} = None" for name in sorted(stale)]
        edits = TextEdits(code)
        rules = Rules(edits, {*self._bound, *local}, set(local), self._aliases, self._hosts)
        for statement in tree.body:
            rules.visit(statement)
            self._pair_lambdas(statement, rules, edits)
            if isinstance(statement, ast.FunctionDef) and local.count(statement.name) == 1:
                twin = _write_twin(statement, self._asking, edits)
                if twin:
                    extra.append(twin)
                    self._asking.add(statement.name)
        if "globals" in code and "globals" not in self._bound:
            extra.append(f"globals = lambda: {rules.helper('names')}({list(self._bound)!r})")
        before = [stdlib.source(module) for module in rules.modules if module not in self._loaded]
        self._loaded.update(rules.modules)
        return Rewritten(edits.text(), (*before, *extra), names)

    def _pair_lambdas(self, statement: ast.stmt, rules: Rules, edits: TextEdits) -> None:
        """Pair each lambda that a thread pool, `map` or asyncio runs with its async twin."""
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in _TAKES_CALLS:
                for each in node.args:
                    if twin := _write_twin_lambda(each, self._asking, edits):
                        edits.wrap(each, f"{rules.helper('Pair')}(", f", {twin})")


def _top_level_names(code: str, tree: ast.Module) -> tuple[str, ...]:
    """Return the names that a program binds at its top level or as globals."""
    symbols = symtable.symtable(code, "program", "exec").get_symbols()
    names = [each.get_name() for each in symbols if each.is_assigned() or each.is_imported()]
    names += [name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names]
    return tuple(dict.fromkeys(names))


def _stored_names(tree: ast.Module) -> list[str]:
    """Return the names that a program binds anywhere except by imports. A name bound twice appears twice."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        elif isinstance(node, ast.arg):
            names.append(node.arg)
        elif isinstance(node, _NAMED):
            names.append(node.name or "")
    return names


def _write_twin(function: ast.FunctionDef, asking: Names, edits: TextEdits) -> str:
    """Return the source of a function's async twin.

    Args:
        function: A function at the top level of a program.
        asking: The functions that have a twin.
        edits: The edits to the program, which apply to the twin too.

    Returns:
        The source, or "" if the function asks no sub-agents or cannot have a twin.
    """
    arguments = function.args
    defaults = [*arguments.defaults, *(default for default in arguments.kw_defaults if default)]
    calls = _calls(function, asking)
    if not calls or function.decorator_list or not all(isinstance(default, ast.Constant) for default in defaults):
        return ""
    kept = list(edits.edits)
    start, end = edits.span(function)
    name = edits.code.index(function.name.encode(), start + len("def "))
    edits.replace(start, name, f"async def {LATER}")
    for call in calls:
        first, last = edits.span(call)
        edits.replace(first, first, f"(await {LATER}")
        edits.close(last, ")")
    twin = edits.text(start, end)
    edits.edits = kept
    return twin


def _write_twin_lambda(function: ast.expr, asking: Names, edits: TextEdits) -> str:
    """Return the twin of a lambda whose body is one call of a function with a twin; "" for anything else."""
    calls = _calls(function, asking) if isinstance(function, ast.Lambda) else []
    if calls != [getattr(function, "body", None)]:
        return ""
    start, end = edits.span(function)
    place = edits.span(calls[0].func)[0]
    return f"{edits.text(start, place)}{LATER}{edits.text(place, end)}"


def _calls(function: ast.FunctionDef | ast.Lambda, asking: Names) -> list[ast.Call]:
    """Return the calls to await; none if the function yields, or binds a name in `asking` itself."""
    found: list[ast.Call] = []
    waiting: list[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else [*function.body]
    names = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return []
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in asking:
            found.append(node)
        if isinstance(node, _SCOPES):
            names.add(getattr(node, "name", ""))
        else:
            waiting += ast.iter_child_nodes(node)
    return [] if names & set(asking) else found
