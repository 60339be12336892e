"""From the Python that models write to the Python that the sandbox knows, where that can be done without changing it.

A rewrite keeps what a program does, or is not made: the sandbox then refuses the
construct, and `rlm_memory_core.hints` says what to write instead. Errors keep the
original's line numbers. Nothing is run here; a source that this Python cannot parse is passed on as it is.

What is rewritten: imports of the modules in `rlm_memory_core.sandbox`; functions that the sandbox's own modules
lack; `del`; a bound method as `key=`; `globals()`; `map`, thread pools and `asyncio.to_thread` over functions that ask
sub-agents, with awaiting twins of these functions, so that their calls are in flight together;
and generator functions that touch nothing outside themselves, which run to their end when called.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass

from . import sandbox
from .generators import as_list

HELPERS = sandbox.global_name(sandbox.HELPERS)
LATER = "_rlm_later_"
MAX_CODE_CHARACTERS = 200_000

# what the sandbox's own modules lack, by module and name, with the helper that stands in
_FUNCTIONS = {
    ("re", "sub"): "re_sub", ("re", "subn"): "re_subn", ("json", "dumps"): "json_dumps",
    ("functools", "wraps"): "wraps", ("asyncio", "to_thread"): "to_thread",
    ("asyncio", "get_event_loop"): "event_loop", ("asyncio", "get_running_loop"): "event_loop",
    ("dataclasses", "asdict"): "asdict", ("dataclasses", "astuple"): "astuple",
    ("dataclasses", "fields"): "fields", ("dataclasses", "replace"): "replace",
}  # fmt: skip
_METHODS = {"isocalendar", "toordinal", "translate", "strptime"}
_BUILTINS = {"callable", "issubclass"}
_TYPES = frozenset("str list dict set int float tuple".split())
_TAKES_FUNCTION = frozenset({"map", "filter"})
_BOUND = frozenset(
    "get lower upper strip lstrip rstrip title casefold count index find isdigit isalpha isalnum isspace startswith "
    "endswith split splitlines append add search match fullmatch findall keys values items total_seconds date "
    "weekday group capitalize".split()
)
_POOL_METHODS = frozenset({"map", "submit"})
_TAKES_ALL = frozenset(
    "sum max min any all list set tuple dict frozenset sorted enumerate zip Counter iter deque reversed "
    "mean median fsum prod join extend update fromkeys".split()
)  # of the values of a generator expression
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
        asks: Host functions that ask sub-agents.
        at_once: Whether their calls may be in flight together.
        given: Names that the host gives values to.

    >>> Rewriter().rewrite("import math, statistics").code
    'import math; statistics = _rlm_statistics'
    """

    def __init__(self, asks: Collection[str] = (), at_once: bool = True, given: Collection[str] = ()) -> None:
        self._asks = frozenset(asks)
        self._at_once = at_once
        self._known: dict[str, None] = dict.fromkeys(given)
        self._loaded: set[str] = set()
        self._aliases: dict[str, str] = {}  # names of the program's that are modules
        self._functions: dict[str, ast.FunctionDef] = {}
        self._from: dict[str, str] = {}  # names imported from modules, as module.name

    def rewrite(self, code: str) -> Rewritten:
        """The program as the sandbox can run it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Rewritten(code)
        bound = bound_names(tree)
        for name in bound:
            self._aliases.pop(name, None)
            self._functions.pop(name, None)
        self._known.update(dict.fromkeys(bound))
        defs = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        self._functions.update({node.name: node for node in defs if bound[node.name] == 1})
        edits = _Edits(self, code, tree)
        try:
            edits.visit(tree)
        except RecursionError:
            return Rewritten(code, (), tuple(bound))
        needed = [module for module in edits.modules if module not in self._loaded]
        self._loaded.update(needed)
        before = [sandbox.source(module) for module in needed]
        before += [ast.unparse(twin) for twin in edits.twins.values()]
        inserted = tuple(line + number for number, line in enumerate(sorted(edits.inserted)))
        return Rewritten(edits.text(), tuple(before), tuple(bound), inserted)

    def asks(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
        """Whether code calls a sub-agent, itself or through a function of the session's."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
                if inner.id in self._asks:
                    return True
                called = self._functions.get(inner.id)
                if called is not None and inner.id not in seen and self.asks(called, seen | {inner.id}):
                    return True
        return False

    def prints(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
        """Whether code may print or reach the host, itself or through a function of the session's."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id not in seen:
                if inner.id in ("print", "FINAL", "FINAL_VAR", "next") or inner.id in self._asks:
                    return True
                called = self._functions.get(inner.id)
                if called is not None and self.prints(called, seen | {inner.id}):
                    return True
        return False

    def twins(self, name: str, found: dict[str, ast.AsyncFunctionDef] | None = None) -> dict[str, ast.AsyncFunctionDef]:
        """The awaiting twins of a function and of those that it calls; none where one cannot be written."""
        found = {} if found is None else found
        function = self._functions.get(name)
        if function is None or name in found or not _is_plain(function):
            return found
        twin = _Twin(self)
        body = [twin.visit(statement) for statement in ast.parse(ast.unparse(function)).body]
        if twin.failed or not twin.awaits:
            return found
        inner = body[0]
        found[name] = ast.AsyncFunctionDef(LATER + name, inner.args, inner.body, [], None)
        for called in twin.awaits - self._asks:
            self.twins(called, found)
            if called not in found:
                return {}
        ast.fix_missing_locations(found[name])
        return found

    def is_awaitable(self, name: str) -> bool:
        """Whether a name has an awaiting twin, of the host's or of ours."""
        return self._at_once and (name in self._asks or name in self.twins(name))


class _Twin(ast.NodeTransformer):
    """Turns calls that ask sub-agents into awaited calls of their twins."""

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter
        self.awaits: set[str] = set()
        self.failed = False
        self._depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: N802
        if self._depth:
            return self._closed(node)
        self._depth += 1
        return self.generic_visit(node)

    def _closed(self, node: ast.AST) -> ast.AST:
        self.failed = self.failed or self._rewriter.asks(node)
        return node

    visit_Lambda = visit_GeneratorExp = visit_AsyncFunctionDef = visit_ClassDef = _closed  # noqa: N815
    visit_Yield = visit_YieldFrom = visit_Global = visit_Import = visit_ImportFrom = visit_Delete = (  # noqa: N815
        lambda self, node: self._refused(node)
    )

    def _refused(self, node: ast.AST) -> ast.AST:
        self.failed = True
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and self._rewriter.asks(node.func):
            self.awaits.add(node.func.id)
            node.func = ast.Name(LATER + node.func.id, ast.Load())
            return ast.Await(node)
        self.failed = self.failed or _needs_rewriting(node)
        return node


class _Edits(ast.NodeVisitor):
    """Collects the changes to a program's text."""

    def __init__(self, rewriter: Rewriter, code: str, tree: ast.Module) -> None:
        self._rewriter = rewriter
        self._lines = code.encode().split(b"\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._code = code.encode()
        self._changes: list[tuple[int, int, str]] = []
        self._in_class = 0
        self._in_function = 0
        self.inserted: list[int] = []
        self.modules: dict[str, None] = {}
        self.twins: dict[str, ast.AsyncFunctionDef] = {}
        self._calls: set[int] = set()  # parentheses of calls that a generator expression shares
        self._lists: set[ast.AST] = set()  # generator expressions of which all values are taken

    def text(self) -> str:
        """The program with all changes made."""
        parts, place = [], 0
        for start, end, text in sorted(self._changes, key=lambda change: change[:2]):
            parts += [self._code[place:start], text.encode()]
            place = end
        return b"".join([*parts, self._code[place:]]).decode()

    def _helper(self, name: str) -> str:
        self.modules[sandbox.HELPERS] = None
        return f"{HELPERS}.{name}"

    def _at(self, node: ast.AST, end: bool = False) -> int:
        line, column = (node.end_lineno, node.end_col_offset) if end else (node.lineno, node.col_offset)  # type: ignore[attr-defined]
        return int(self._starts[line - 1] + column)

    def _change(self, start: int, end: int, text: str) -> None:
        """Replace a part of the text; lines that it had are kept as blank ones within parentheses by the caller."""
        self._changes.append((start, end, text))

    def _source(self, node: ast.AST) -> str:
        return self._code[self._at(node) : self._at(node, end=True)].decode()

    def _after(self, place: int, words: str) -> int:
        """The place after some words, however they are spaced."""
        for word in words.split():
            place = self._code.index(word.encode(), place) + len(word)
        return place

    # imports

    def visit_Import(self, node: ast.Import) -> None:  # noqa: N802
        parts, own = [], False
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            if alias.name in sandbox.MODULES:
                own = True
                root = alias.name if alias.asname else name
                for module in (m for m in sandbox.MODULES if m == root or m.startswith(f"{root}.")):
                    self.modules[module] = None
                self._sort_packages()
                parts.append(f"{name} = {sandbox.global_name(root)}")
            else:
                self._rewriter._aliases[name] = alias.name
                parts.append(f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else ""))
        if own:
            self._statement(node, parts)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802
        module = node.module or ""
        parts, native, own = [], [], False
        for alias in node.names:
            name, full = alias.asname or alias.name, f"{module}.{alias.name}"
            if (module, alias.name) in _FUNCTIONS:
                own = True
                parts.append(f"{name} = {self._helper(_FUNCTIONS[module, alias.name])}")
                self._rewriter._from[name] = full
            elif module in sandbox.MODULES and alias.name in sandbox.names(module):
                own = True
                self.modules.update(dict.fromkeys([m for m in sandbox.MODULES if m == full] or [module]))
                value = (
                    sandbox.global_name(full)
                    if full in sandbox.MODULES
                    else f"{sandbox.global_name(module)}.{alias.name}"
                )
                parts.append(f"{name} = {value}")
            else:
                native.append(alias.name + (f" as {alias.asname}" if alias.asname else ""))
        if own:
            self._statement(node, ([f"from {module} import {', '.join(native)}"] if native else []) + parts)

    def _sort_packages(self) -> None:
        """A package is made from its modules: they come first."""
        self.modules = dict.fromkeys(sorted(self.modules, key=lambda name: sandbox.MODULES.get(name) == ""))

    def _statement(self, node: ast.stmt, parts: list[str]) -> None:
        """A simple statement anew, on as many lines as it had."""
        blank = "\n" * ((node.end_lineno or node.lineno) - node.lineno)
        if blank:
            target, _, value = parts[-1].partition(" = ")
            parts[-1] = f"{target} = ({blank}{value})" if value else f"({parts[-1]}{blank})"
        self._change(self._at(node), self._at(node, end=True), "; ".join(parts))

    # statements

    def visit_Delete(self, node: ast.Delete) -> None:  # noqa: N802
        parts = []
        for target in node.targets:
            if isinstance(target, ast.Name):
                parts.append(f"{target.id} = {self._helper('Deleted')}({target.id!r})")
            elif isinstance(target, ast.Subscript):
                key = ast.unparse(_slice(target.slice))
                parts.append(f"{self._helper('delete_item')}({ast.unparse(target.value)}, {key})")
            else:
                return
        self._statement(node, parts)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802
        self._in_class += 1
        self.generic_visit(node)
        self._in_class -= 1

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:  # noqa: N802
        changes = None if self._in_class else as_list(node, self._rewriter.prints)
        if changes is not None:
            start = self._at(node)
            self.inserted.append(node.lineno)
            argument = (
                "_rlm_yields, "
                if node.args.args or node.args.kwonlyargs or node.args.vararg or node.args.kwarg
                else "_rlm_yields"
            )
            opening = self._code.index(b"(", start + len(b"def ") + len(node.name.encode()))
            self._change(start, start, f"@{self._helper('generator')}\n{' ' * node.col_offset}")
            self._change(opening + 1, opening + 1, argument)
            for inner, method in changes:
                value = inner.value
                words = "yield from" if method == "extend" else "yield"
                begin = self._at(inner)
                end = begin + len(words) if value is None else self._after(begin, words)
                self._change(begin, end, f"_rlm_yields.{method}((" + ("None" if value is None else ""))
                self._change(self._at(inner, end=True), self._at(inner, end=True), "))")
        self._in_function += 1
        self.generic_visit(node)
        self._in_function -= 1

    # expressions

    def visit_Call(self, node: ast.Call) -> None:  # noqa: N802
        function = node.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        if name in _TAKES_ALL:
            self._lists.update(node.args)
        if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
            opening = self._code.index(b"(", self._at(function, end=True))
            if opening == self._at(node.args[0]):
                self._calls.add(opening)
        if isinstance(function, ast.Name):
            self._called_name(node, function.id)
        elif isinstance(function, ast.Attribute):
            self._called_attribute(node, function)
        for keyword in node.keywords:
            if keyword.arg == "key":
                self._as_function(keyword.value)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:  # noqa: N802
        if node.id in _BUILTINS and isinstance(node.ctx, ast.Load) and node.id not in self._rewriter._known:
            self._change(self._at(node), self._at(node, end=True), self._helper(node.id))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:  # noqa: N802
        if node not in self._lists:  # it is a list in the sandbox
            start, end = self._at(node), self._at(node, end=True)
            self._change(start, start, "(iter" if self._is_alone(start) else "iter")
            if self._is_alone(start):
                self._change(end, end, ")")
        self.generic_visit(node)

    def _is_alone(self, start: int) -> bool:
        """Whether the parentheses of a generator expression are those of a call."""
        return start in self._calls

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: N802
        if isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.attr == "__name__" and node.value.id in self._rewriter._functions:
                self._change(self._at(node), self._at(node, end=True), repr(node.value.id))
                return
            module = self._rewriter._aliases.get(node.value.id, "")
            if (module, node.attr) in _FUNCTIONS:
                self._change(self._at(node), self._at(node, end=True), self._helper(_FUNCTIONS[module, node.attr]))
                return
        self.generic_visit(node)

    def _called_name(self, node: ast.Call, name: str) -> None:
        if name == "map" and len(node.args) > 1 and "map" not in self._rewriter._known:
            first = node.args[0]
            if self._rewriter.asks(first):
                self._change(self._at(node.func), self._at(node.func, end=True), self._helper("mapped"))
                self._pair(first)
                return
        if name in _TAKES_FUNCTION and node.args:
            self._as_function(node.args[0])
        elif name == "globals" and not node.args and not node.keywords:
            known = sorted(name for name in self._rewriter._known if not name.startswith("_rlm_"))
            self._change(self._at(node), self._at(node, end=True), f"{self._helper('names')}({known!r})")
        elif self._rewriter._from.get(name) == "asyncio.to_thread" and node.args:
            self._pair(node.args[0])

    def _called_attribute(self, node: ast.Call, function: ast.Attribute) -> None:
        owner = self._rewriter._aliases.get(function.value.id, "") if isinstance(function.value, ast.Name) else ""
        if function.attr in _POOL_METHODS and node.args and not owner:
            self._pair(node.args[0])
        elif (owner, function.attr) == ("asyncio", "to_thread") and node.args:
            self._pair(node.args[0])
        elif function.attr == "run_in_executor" and len(node.args) > 1:
            self._pair(node.args[1])
        elif (function.attr in _METHODS and not owner and not self._is_type(function.value)) or (
            function.attr == "sub" and not owner and node.args and self._is_function(node.args[0])
        ):
            helper = "pattern_sub" if function.attr == "sub" else function.attr
            self._as_call(node, function, self._helper(helper))
        elif function.attr == "maketrans" and isinstance(function.value, ast.Name) and function.value.id == "str":
            self._change(self._at(function), self._at(function, end=True), self._helper("maketrans"))

    def _is_type(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in _TYPES

    def _is_function(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Lambda) or (isinstance(node, ast.Name) and node.id in self._rewriter._functions)

    def _as_call(self, node: ast.Call, function: ast.Attribute, helper: str) -> None:
        """`value.method(arguments)` as `helper(value, arguments)`."""
        name = self._at(function, end=True) - len(function.attr.encode())
        dot = self._code.rindex(b".", 0, name)
        opening = self._code.index(b"(", name)
        self._change(self._at(function), self._at(function), f"{helper}(")
        self._change(dot, opening + 1, ", " if node.args or node.keywords else "")

    def _as_function(self, node: ast.expr) -> None:
        """`value.method` where a function is wanted."""
        if not (isinstance(node, ast.Attribute) and node.attr in _BOUND):
            return
        if isinstance(node.value, ast.Name) and self._rewriter._aliases.get(node.value.id):
            return
        name = self._at(node, end=True) - len(node.attr.encode())
        dot = self._code.rindex(b".", 0, name)
        if self._is_type(node.value):
            call = f"(lambda _o, *_a, **_k: _o.{node.attr}(*_a, **_k))"
            self._change(self._at(node), self._at(node, end=True), call)
        else:
            self._change(self._at(node), self._at(node), f"(lambda _o: lambda *_a, **_k: _o.{node.attr}(*_a, **_k))(")
            self._change(dot, self._at(node, end=True), ")")

    def _pair(self, node: ast.expr) -> None:
        """A function that asks sub-agents, with its awaiting twin, where there is one."""
        later = ""
        if isinstance(node, ast.Name) and self._rewriter.is_awaitable(node.id):
            later = self._later(node.id)
        elif isinstance(node, ast.Lambda) and isinstance(node.body, ast.Call) and isinstance(node.body.func, ast.Name):
            body, name = node.body, node.body.func.id
            arguments = [*body.args, *(keyword.value for keyword in body.keywords)]
            if self._rewriter.is_awaitable(name) and not any(map(self._rewriter.asks, arguments)):
                if any(_needs_rewriting(inner) for argument in arguments for inner in ast.walk(argument)):
                    return
                twin = ast.parse(ast.unparse(node), mode="eval").body
                assert isinstance(twin, ast.Lambda)
                assert isinstance(twin.body, ast.Call)
                twin.body.func = ast.Name(self._later(name), ast.Load())
                later = ast.unparse(twin)
        if later:
            self._change(self._at(node), self._at(node), f"{self._helper('Pair')}(")
            self._change(self._at(node, end=True), self._at(node, end=True), f", {later})")

    def _later(self, name: str) -> str:
        self.twins.update(self._rewriter.twins(name))
        return LATER + name


def bound_names(tree: ast.Module) -> dict[str, int]:
    """The names that a program binds at its top level or as globals, with how often."""
    found: dict[str, int] = {}

    def bind(name: str) -> None:
        found[name] = found.get(name, 0) + 1

    def walk(node: ast.AST) -> None:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                bind(inner.name)
                for deep in ast.walk(inner):
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


def _slice(node: ast.expr) -> ast.expr:
    """What stands between brackets, as a value."""
    if not isinstance(node, ast.Slice):
        return node
    parts = [part or ast.Constant(None) for part in (node.lower, node.upper, node.step)]
    return ast.Call(ast.Name("slice", ast.Load()), parts, [])


def _is_plain(function: ast.FunctionDef) -> bool:
    """Whether a twin of a function can be defined apart from it: no decorators, defaults that are constants."""
    defaults = [*function.args.defaults, *(default for default in function.args.kw_defaults if default)]
    return not function.decorator_list and all(isinstance(default, ast.Constant) for default in defaults)


def _needs_rewriting(node: ast.AST) -> bool:
    """Whether an expression holds something that is rewritten, and so cannot be copied as it stands."""
    if isinstance(node, ast.Attribute):
        return (node.attr in _METHODS) or node.attr in {name for _, name in _FUNCTIONS}
    if isinstance(node, ast.Call):
        return (isinstance(node.func, ast.Attribute) and _needs_rewriting(node.func)) or any(
            keyword.arg == "key" and isinstance(keyword.value, ast.Attribute) for keyword in node.keywords
        )
    return isinstance(node, ast.Name) and (node.id in _BUILTINS or node.id in ("globals", "map"))
