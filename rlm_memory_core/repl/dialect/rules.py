"""The rules of what is rewritten in a program, and the text edits that they make.

The rules cover:

- imports of modules that the sandbox lacks: `import statistics`;
- functions and methods that its modules and values lack: `re.sub(pattern, function, text)`;
- built-in methods that are passed on: `key=counts.get`;
- generator expressions that `next` reads: `next(s for s in sessions if "cat" in s)`;
- `map`, `sorted`, `any` and the like over a function that asks sub-agents: the sandbox's own cannot wait for these.
"""

import ast
import builtins
import re
from collections import Counter, deque
from collections.abc import Collection
from datetime import datetime, timedelta

from .. import stdlib

HELPERS = stdlib.global_name(stdlib.HELPERS)
_HELPERS = stdlib.names(stdlib.HELPERS)  # `re_sub` is there because the sandbox lacks a part of `re.sub`

Names = Collection[str]
_METHODS = {"isocalendar", "toordinal", "translate", "maketrans", "strptime", "sub", "sort"}
_MISSING = {"callable", "issubclass"}
_CALLS_BACK = {"map", "filter", "sorted", "min", "max"}  # cannot wait for a host function
_STOPS_EARLY = {"any", "all", "next"}
_TYPES = (str, list, dict, set, tuple, int, float, bytes, deque, Counter)
_BUILTIN_METHODS = {name for kind in (*_TYPES, datetime, timedelta, re.Pattern, re.Match) for name in dir(kind)}


class TextEdits:
    """Edits to a program's text at the places of its syntax nodes. Lines keep their numbers.

    Args:
        code: The program, with `\\n` line ends.

    >>> edits = TextEdits("f(x)")
    >>> edits.wrap(ast.parse("f(x)", mode="eval").body.args[0], "g(", ")")
    >>> edits.text()
    'f(g(x))'
    """

    def __init__(self, code: str) -> None:
        self.code = code.encode()
        self.edits: list[tuple[int, int, int, str]] = []  # start, rank among those that start there, end, text
        self._lines = [0]
        for line in self.code.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """The bytes where a node starts and ends."""
        start = self._lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        end = self._lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        return start, end

    def replace(self, start: int, end: int, text: str) -> None:
        """Replace some bytes."""
        self.edits.append((start, len(self.edits) + 1, end, text))

    def close(self, place: int, text: str) -> None:
        """Insert what ends an outer expression: after the ends of inner ones, which come later."""
        self.edits.append((place, -len(self.edits) - 1, place, text))

    def rename(self, node: ast.AST, text: str) -> None:
        """Replace a node."""
        self.replace(*self.span(node), text)

    def wrap(self, node: ast.AST, before: str, after: str) -> None:
        """Put text around a node."""
        start, end = self.span(node)
        self.replace(start, start, before)
        self.close(end, after)

    def text(self, start: int = 0, end: int | None = None) -> str:
        """The program, or a part of it, after the edits."""
        end = len(self.code) if end is None else end
        parts, place = [], start
        for first, _, last, text in sorted(self.edits):
            if start <= first and last <= end:
                parts += [self.code[place:first], text.encode()]
                place = last
        return b"".join([*parts, self.code[place:end]]).decode()


class Rules(ast.NodeVisitor):
    """Adds the edits that a program needs.

    Args:
        edits: Takes the edits.
        bound: Names that the session binds at its top level or this program anywhere.
        local: Names that this program binds, other than by an import.
        aliases: The sandbox's own modules, by the names under which programs imported them.
        hosts: Host functions.

    Attributes:
        modules: Modules of `rlm_memory_core.repl.stdlib` that the program needs.
    """

    def __init__(self, edits: TextEdits, bound: Names, local: Names, aliases: dict[str, str], hosts: Names) -> None:
        self.modules: dict[str, None] = {}
        self._edits, self._bound, self._local, self._aliases, self._hosts = edits, bound, local, aliases, hosts
        self._done: set[ast.AST] = set()  # nodes that stay, or that the rewrite of their parent covers
        self._in_class: set[ast.AST] = set()
        self._sharing: set[ast.AST] = set()  # generator expressions in the parentheses of a call

    def visit_Import(self, node: ast.Import) -> None:
        """Take the modules that the sandbox lacks from `stdlib`."""
        own = {}
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            if alias.name in stdlib.MODULES:
                module = self.module(alias.name)
                own[alias] = f"{name} = {module if alias.asname else self.module(name)}"
            else:
                self._aliases[name] = alias.name
        self._import(node, "import ", own)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Take the functions that the sandbox lacks from `stdlib`."""
        module = node.module or ""
        own = {}
        for alias in node.names:
            name, full = alias.asname or alias.name, f"{module}.{alias.name}"
            if f"{module}_{alias.name}" in _HELPERS:
                own[alias] = f"{name} = {self.helper(f'{module}_{alias.name}')}"
            elif full in stdlib.MODULES:
                own[alias] = f"{name} = {self.module(full)}"
            elif module in stdlib.MODULES and alias.name in stdlib.names(module):
                own[alias] = f"{name} = {self.module(module)}.{alias.name}"
        self._import(node, f"from {module} import ", own)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Note the expressions of its body: a comprehension there cannot see what `:=` binds."""
        for statement in node.body:
            self._in_class.update(ast.walk(statement.args if isinstance(statement, ast.FunctionDef) else statement))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        """Replace a built-in function that the sandbox lacks."""
        if node.id in _MISSING and node.id not in self._bound:
            self._edits.rename(node, self.helper(node.id))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        """Make an iterator: the sandbox makes a list of a generator expression."""
        if node not in self._done:
            start, end = self._edits.span(node)
            is_shared = node in self._sharing
            self._edits.replace(start + is_shared, start + is_shared, "iter(")
            self._edits.close(end - is_shared, ")")
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Replace a function or method that the sandbox lacks."""
        if node not in self._done and isinstance(node.ctx, ast.Load):
            name = node.value.id if isinstance(node.value, ast.Name) else ""
            module = "" if name in self._local else self._aliases.get(name, "")
            if f"{module}_{node.attr}" in _HELPERS:
                self._edits.rename(node, self.helper(f"{module}_{node.attr}"))
                return
            if node.attr in _METHODS and not module:
                self._around(node, f"{self.helper('method')}(", f", {node.attr!r})")
            elif node.attr == "__name__" and name:
                self._around(node, f"{self.helper('name_of')}(", ")")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Replace built-in functions that are given a function which may ask sub-agents: they could not wait for it."""
        function = node.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        first = node.args[0] if node.args else None
        key = next((keyword.value for keyword in node.keywords if keyword.arg == "key"), None)
        is_builtin = isinstance(function, ast.Name) and name not in self._bound
        called = first if name in ("map", "filter") else key
        if called is not None:
            self._pass_method(called)
            if is_builtin and name in _CALLS_BACK and self._may_wait(called):
                self._edits.rename(function, self.helper(f"{name}_by"))
        if isinstance(first, ast.GeneratorExp):
            self._give_generator(node, first, name, is_builtin)
        if isinstance(function, ast.Attribute) and self._is_native(node, name, key):
            self._done.add(function)
        self.generic_visit(node)

    def _give_generator(self, call: ast.Call, node: ast.GeneratorExp, name: str, is_builtin: bool) -> None:
        """Decide on a generator expression that a call is given: most functions may get a list in its place."""
        if self._edits.span(node)[1] == self._edits.span(call)[1]:
            self._sharing.add(node)
        if is_builtin and name in _STOPS_EARLY and node not in self._in_class and self._may_wait(node):
            self._stop_early(call, node, name)
        elif name != "next" and name not in self._hosts:
            self._done.add(node)

    def _is_native(self, node: ast.Call, name: str, key: ast.expr | None) -> bool:
        """Whether the sandbox supports this form of the call; it lacks other forms."""
        if name in ("sub", "subn"):
            return len(node.args) > 1 and isinstance(node.args[-2], (ast.Constant, ast.JoinedStr))
        if name == "strptime":
            form = getattr(node.args[-1], "value", "") if node.args else ""
            return isinstance(form, str) and "%d" in form and ("%Y" in form or "%y" in form)
        if name == "dumps":
            return all(keyword.arg not in ("default", None) for keyword in node.keywords)
        return name == "sort" and (key is None or not self._may_wait(key))

    def _stop_early(self, call: ast.Call, node: ast.GeneratorExp, name: str) -> None:
        """Stop asking when a value settles `any`, `all` or `next`."""
        start, end = self._edits.span(node)
        is_shared, until = node in self._sharing, f"_rlm_until_{len(self._edits.edits)}"
        self._done.add(node)
        self._edits.rename(call.func, self.helper("settled"))
        self._edits.replace(start + is_shared, start + 1, f"({until} := {self.helper('Until')}({name!r}), [")
        self._edits.wrap(node.elt, f"{until}.see(", ")")
        for loop in node.generators:
            self._edits.wrap(loop.iter, f"{until}.each(", ")")
        self._edits.replace(end - 1, end - is_shared, "])[0]")

    def _may_wait(self, node: ast.expr) -> bool:
        """Whether code may call a host function, or binds a name. An unknown function counts as one that may."""
        called = [node]
        for inner in ast.walk(node):
            if isinstance(inner, ast.NamedExpr) or (isinstance(inner, ast.Name) and inner.id in self._hosts):
                return True
            if isinstance(inner, ast.Call):
                called.append(inner.func)
        return any(
            (isinstance(each, ast.Name) and not hasattr(builtins, each.id))
            or (isinstance(each, ast.Attribute) and each.attr not in _BUILTIN_METHODS)
            for each in called
        )

    def _pass_method(self, node: ast.expr) -> None:
        """Put a lambda in place of a built-in method: the sandbox can call one, but not pass it on."""
        if isinstance(node, ast.Attribute) and node.attr in _BUILTIN_METHODS:
            self._done.add(node)
            if isinstance(node.value, ast.Name) and node.value.id in {kind.__name__ for kind in _TYPES}:
                self._edits.rename(node, f"(lambda _o, *_a, **_k: _o.{node.attr}(*_a, **_k))")
            else:
                self._around(node, f"(lambda _o: lambda *_a, **_k: _o.{node.attr}(*_a, **_k))(", ")")

    def _around(self, node: ast.Attribute, before: str, after: str) -> None:
        """Put text around an attribute's object, in place of the attribute."""
        start, end = self._edits.span(node)
        self._edits.replace(start, start, before)
        self._edits.replace(self._edits.code.rindex(b".", start, end - len(node.attr.encode())), end, after)

    def _import(self, node: ast.Import | ast.ImportFrom, words: str, own: dict[ast.alias, str]) -> None:
        """Replace an import by the modules that stay in it and our assignments, on as many lines as it had."""
        if own:
            native = ", ".join(ast.unparse(alias) for alias in node.names if alias not in own)
            parts = [words + native, *own.values()] if native else own.values()
            broken = " = " + "\\\n" * ((node.end_lineno or node.lineno) - node.lineno)
            self._edits.rename(node, "; ".join(parts).replace(" = ", broken, 1))

    def module(self, name: str) -> str:
        """The sandbox's name for one of our modules; the modules that it uses come first."""
        self.modules.update(dict.fromkeys([*stdlib.uses(name), name]))
        return stdlib.global_name(name)

    def helper(self, name: str) -> str:
        """The sandbox's name for one of our helpers."""
        self.module(stdlib.HELPERS)
        return f"{HELPERS}.{name}"
