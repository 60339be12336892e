"""What the programs of one session have bound so far: names, modules, functions, and which of these ask sub-agents.

`edits` reads it to decide what a name stands for. Nothing here changes a program; `twins` are
awaiting copies of functions, with which several of their calls can be in flight together.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Any

from . import call_graph as reaching
from . import tables
from .nodes import children, within
from .scopes import bound_in

LATER = "_rlm_later_"
"""Before a function's name: its awaiting twin."""

_NOT_IN_TWINS = (ast.Yield, ast.YieldFrom, ast.Global, ast.Import, ast.ImportFrom, ast.Delete)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SHOWS = frozenset({"print", "FINAL", "FINAL_VAR", "next"})


class Known:
    """What the session's programs have bound.

    Args:
        asks: Host functions that ask sub-agents.
        at_once: Whether their calls may be in flight together.
        given: Names that the host gives values to.
        hosts: Host functions of any other kind.
    """

    def __init__(
        self,
        asks: Collection[str] = (),
        at_once: bool = True,
        given: Collection[str] = (),
        hosts: Collection[str] = (),
    ) -> None:
        self.names: dict[str, None] = dict.fromkeys(given)
        self.modules: dict[str, str] = {}  # by the names that programs gave them
        self.imported: dict[str, str] = {}  # as module.name
        self.functions: dict[str, ast.FunctionDef] = {}
        self._asks = frozenset(asks)
        self._at_once = at_once
        self._asking: frozenset[str] = self._asks
        self._showing: frozenset[str] = self._asks | _SHOWS
        self._hosts = self._asks | frozenset(hosts)
        self._reaching: frozenset[str] = self._hosts
        self._uses: dict[str, frozenset[str]] = {}  # of what may be functions
        self._twins: dict[str, dict[str, ast.AsyncFunctionDef]] = {}

    def begin(self, tree: ast.Module) -> dict[str, int]:
        """A program begins; the names that it binds, with how often."""
        bound = bound_names(tree)
        for name in bound:
            self.modules.pop(name, None)
            self.imported.pop(name, None)
            self.functions.pop(name, None)
            self._uses.pop(name, None)
        self.names.update(dict.fromkeys(bound))
        defs = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        self.functions.update({node.name: node for node in defs if bound[node.name] == 1})
        for name, used in reaching.uses(tree).items():
            self._uses[name] = self._uses.get(name, frozenset()) | used
        self._asking = _closure(self._asks, {name: loaded(function) for name, function in self.functions.items()})
        self._showing = _closure(self._asks | _SHOWS, self._uses)
        self._reaching = _closure(self._hosts, self._uses)
        self._twins = {}
        return bound

    def asks(self, node: ast.AST) -> bool:
        """Whether code calls a sub-agent, itself or through a function of the session's."""
        return not self._asking.isdisjoint(loaded(node))

    def shows(self, node: ast.AST) -> bool:
        """Whether code may print or ask a sub-agent, itself or through a function of the session's."""
        return not self._showing.isdisjoint(reaching.read(node) - (bound_in(node) or frozenset()))

    def reaches(self, node: ast.AST, local: frozenset[str] = frozenset()) -> bool:
        """Whether code may call a host function of any kind: itself, through a function, or through it knows not what.

        Args:
            node: A function, or what calls some.
            local: Names that the scopes around it bind.
        """
        unknown = {name for name in reaching.called(node) if name not in self._uses}
        is_unknown = any(name in local or name in self.names for name in unknown)
        return is_unknown or not self._reaching.isdisjoint(reaching.read(node))

    def is_awaitable(self, name: str) -> bool:
        """Whether a name has an awaiting twin, of the host's or of ours."""
        return self._at_once and (name in self._asks or name in self.twins(name))

    def twins(self, name: str) -> dict[str, ast.AsyncFunctionDef]:
        """The awaiting twins of a function and of those that it calls; none where one cannot be written."""
        if name not in self._twins:
            self._twins[name] = self._find_twins(name)
        return self._twins[name]

    def _find_twins(self, name: str) -> dict[str, ast.AsyncFunctionDef]:
        found: dict[str, ast.AsyncFunctionDef] = {}
        waiting = [name]
        while waiting:
            called = waiting.pop()
            if called in found or called in self._asks:
                continue
            function = self.functions.get(called)
            written = None if function is None or not _is_plain(function) else self._twin(function)
            if written is None:
                return {}
            found[called], more = written
            waiting += more
        return found

    def _twin(self, function: ast.FunctionDef) -> tuple[ast.AsyncFunctionDef, set[str]] | None:
        if not self._asking.isdisjoint(bound_in(function) or ()):
            return None  # what it calls so is its own
        copy = _Twin(self, bound_in(function) or frozenset())
        (body,) = ast.parse(ast.unparse(function)).body
        inner = copy.visit(body)
        if copy.failed or not copy.awaits:
            return None
        twin = ast.AsyncFunctionDef(LATER + function.name, inner.args, inner.body, [], None)
        return ast.fix_missing_locations(twin), copy.awaits


class _Twin(ast.NodeTransformer):
    """Turns calls that ask sub-agents into awaited calls of their twins."""

    def __init__(self, known: Known, local: frozenset[str]) -> None:
        self._known = known
        self._local = local
        self.awaits: set[str] = set()
        self.failed = False
        self._inside = False

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, _NOT_IN_TWINS) or (self._inside and isinstance(node, _SCOPES)):
            self.failed = True
        elif isinstance(node, (ast.Lambda, ast.GeneratorExp)):
            inside = any(
                isinstance(inner, ast.NamedExpr) or needs_rewriting(inner, self._known, self._local)
                for inner in within(node)
            )
            self.failed = self.failed or inside or self._known.asks(node)
            return node
        self.failed = self.failed or needs_rewriting(node, self._known, self._local)
        self._inside = True
        self.generic_visit(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and self._known.asks(node.func):
            self.awaits.add(node.func.id)
            node.func = ast.Name(LATER + node.func.id, ast.Load())
            return ast.Await(node)
        return node


def loaded(node: ast.AST) -> frozenset[str]:
    """The names that code reads."""
    return frozenset(
        inner.id for inner in within(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load)
    )


def needs_rewriting(node: ast.AST, known: Known, local: frozenset[str] = frozenset()) -> bool:
    """Whether a node may be rewritten where it stands, and so cannot be copied as it is."""
    if isinstance(node, ast.Attribute):
        module = known.modules.get(node.value.id, "") if isinstance(node.value, ast.Name) else ""
        others = ("sub", "maketrans", "run_in_executor", "__name__")
        is_table = (module, node.attr) in tables.FUNCTIONS or f"{module}.{node.attr}" in tables.WAITING_IMPORTED
        return node.attr in tables.METHODS or is_table or node.attr in others
    if isinstance(node, ast.keyword):
        return node.arg == "key" and (isinstance(node.value, ast.Attribute) or known.reaches(node.value, local))
    if not isinstance(node, ast.Name):
        return False
    is_builtin = node.id in tables.BUILTINS or node.id in ("globals", "map", "filter")
    return is_builtin or known.imported.get(node.id) in tables.WAITING_IMPORTED


def bound_names(tree: ast.Module) -> dict[str, int]:
    """The names that a program binds at its top level or as globals, with how often."""
    found: dict[str, int] = {}

    def bind(name: str) -> None:
        found[name] = found.get(name, 0) + 1

    def walk(node: ast.AST) -> None:
        for inner in children(node):
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                bind(inner.name)
                for deep in within(inner):
                    if isinstance(deep, ast.Global):
                        for name in deep.names:
                            bind(name)
                continue
            if isinstance(inner, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
                continue
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                bind(inner.id)
            elif isinstance(inner, ast.alias) and inner.name != "*":
                bind(inner.asname or inner.name.split(".")[0])
            walk(inner)

    walk(tree)
    return found


def as_value(node: ast.expr) -> ast.expr:
    """What stands between brackets, as a value."""
    if not isinstance(node, ast.Slice):
        return node
    parts = [part or ast.Constant(None) for part in (node.lower, node.upper, node.step)]
    return ast.Call(ast.Name("slice", ast.Load()), parts, [])


def is_known(node: ast.Call, name: str) -> bool:
    """Whether the sandbox knows a call of which it lacks other forms: re.sub to a text, json.dumps of plain values."""
    if name == "dumps":
        return not any(keyword.arg in ("default", None) for keyword in node.keywords)
    return name == "sub" and len(node.args) > 1 and isinstance(node.args[1], (ast.Constant, ast.JoinedStr))


def _closure(start: frozenset[str], uses: dict[str, frozenset[str]]) -> frozenset[str]:
    """The names from which, by way of the functions that use them, one of `start` is reached."""
    users: dict[str, list[str]] = {}
    for name, used in uses.items():
        for other in used:
            users.setdefault(other, []).append(name)
    found, waiting = set(start), list(start)
    while waiting:
        for user in users.get(waiting.pop(), ()):
            if user not in found:
                found.add(user)
                waiting.append(user)
    return frozenset(found)


def _is_plain(function: ast.FunctionDef) -> bool:
    """Whether a twin of a function can be defined apart from it: no decorators, defaults that are constants."""
    defaults = [*function.args.defaults, *(default for default in function.args.kw_defaults if default)]
    return not function.decorator_list and all(isinstance(default, ast.Constant) for default in defaults)
