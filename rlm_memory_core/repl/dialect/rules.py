"""The rules for rewriting a program, and the text edits that they make.

The rules cover:

- imports of modules that the sandbox lacks: `import statistics`;
- functions and methods that the sandbox's modules and values lack: `re.sub(pattern, function, text)`;
- built-in methods passed as arguments: `key=counts.get`;
- generator expressions that `next` reads: `next(s for s in sessions if "cat" in s)`;
- `map`, `sorted`, `any` and the like with a function that asks sub-agents, because the sandbox's own cannot wait.
"""

import ast
import builtins
import re
from collections import Counter, deque
from collections.abc import Collection
from datetime import datetime, timedelta

from .. import stdlib

HELPERS = stdlib.global_name(stdlib.HELPERS)
_HELPERS = stdlib.names(stdlib.HELPERS)  # includes `re_sub`, because the sandbox supports `re.sub` only in part

Names = Collection[str]
_METHODS = {"isocalendar", "toordinal", "translate", "maketrans", "strptime", "sub", "sort"}
_MISSING = {"callable", "issubclass"}
_CALLS_BACK = {"map", "filter", "sorted", "min", "max"}  # these cannot wait for a host function
_STOPS_EARLY = {"any", "all", "next"}
_TYPES = (str, list, dict, set, tuple, int, float, bytes, deque, Counter)
_BUILTIN_METHODS = {name for kind in (*_TYPES, datetime, timedelta, re.Pattern, re.Match) for name in dir(kind)}


class TextEdits:
    """Edits to a program's text at the positions of its syntax nodes. Line numbers stay the same.

    Args:
        code: The program, with `\\n` line endings.

    >>> edits = TextEdits("f(x)")
    >>> edits.wrap(ast.parse("f(x)", mode="eval").body.args[0], "g(", ")")
    >>> edits.text()
    'f(g(x))'
    """

    def __init__(self, code: str) -> None:
        self.code = code.encode()
        self.edits: list[tuple[int, int, int, str]] = []  # start, rank among edits with the same start, end, text
        self._lines = [0]
        for line in self.code.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return the byte offsets at which a node starts and ends."""
        start = self._lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        end = self._lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        return start, end

    def replace(self, start: int, end: int, text: str) -> None:
        """Replace the bytes from `start` to `end`."""
        self.edits.append((start, len(self.edits) + 1, end, text))

    def close(self, place: int, text: str) -> None:
        """Insert the end of an outer expression. It goes after the ends of inner ones, which are inserted later."""
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
        """Return the program, or a part of it, after the edits."""
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
        bound: Names that the session binds at its top level, or this program binds anywhere.
        local: Names that this program binds, except by imports.
        aliases: Maps names under which programs imported the sandbox's own modules to these modules.
        hosts: The host functions.

    Attributes:
        modules: Modules of `rlm_memory_core.repl.stdlib` that the program needs.
    """

    def __init__(self, edits: TextEdits, bound: Names, local: Names, aliases: dict[str, str], hosts: Names) -> None:
        self.modules: dict[str, None] = {}
        self._edits, self._bound, self._local, self._aliases, self._hosts = edits, bound, local, aliases, hosts
        self._done: set[ast.AST] = set()  # nodes to leave alone, or that their parent's rewrite covers
        self._in_class: set[ast.AST] = set()
        self._sharing: set[ast.AST] = set()  # generator expressions that share a call's parentheses

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
        """Note the expressions in the class body, where a comprehension cannot see what `:=` binds."""
        for statement in node.body:
            self._in_class.update(ast.walk(statement.args if isinstance(statement, ast.FunctionDef) else statement))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        """Replace a built-in function that the sandbox lacks."""
        if node.id in _MISSING and node.id not in self._bound:
            self._edits.rename(node, self.helper(node.id))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        """Wrap it in `iter()`, because the sandbox turns a generator expression into a list."""
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
        """Replace a built-in function whose argument may ask sub-agents, because the built-in could not wait."""
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
        """Handle a generator expression passed to a call. Most functions may receive a list instead."""
        if self._edits.span(node)[1] == self._edits.span(call)[1]:
            self._sharing.add(node)
        if is_builtin and name in _STOPS_EARLY and node not in self._in_class and self._may_wait(node):
            self._stop_early(call, node, name)
        elif name != "next" and name not in self._hosts:
            self._done.add(node)

    def _is_native(self, node: ast.Call, name: str, key: ast.expr | None) -> bool:
        """Return whether the sandbox supports this form of the call. It lacks other forms."""
        if name in ("sub", "subn"):
            return len(node.args) > 1 and isinstance(node.args[-2], (ast.Constant, ast.JoinedStr))
        if name == "strptime":
            form = getattr(node.args[-1], "value", "") if node.args else ""
            return isinstance(form, str) and "%d" in form and ("%Y" in form or "%y" in form)
        if name == "dumps":
            return all(keyword.arg not in ("default", None) for keyword in node.keywords)
        return name == "sort" and (key is None or not self._may_wait(key))

    def _stop_early(self, call: ast.Call, node: ast.GeneratorExp, name: str) -> None:
        """Stop asking sub-agents once a value decides `any`, `all` or `next`."""
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
        """Return whether code may call a host function, or binds a name. Assume that unknown functions may."""
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
        """Replace a built-in method by a lambda, because the sandbox can call a method but not pass it."""
        if isinstance(node, ast.Attribute) and node.attr in _BUILTIN_METHODS:
            self._done.add(node)
            if isinstance(node.value, ast.Name) and node.value.id in {kind.__name__ for kind in _TYPES}:
                self._edits.rename(node, f"(lambda _o, *_a, **_k: _o.{node.attr}(*_a, **_k))")
            else:
                self._around(node, f"(lambda _o: lambda *_a, **_k: _o.{node.attr}(*_a, **_k))(", ")")

    def _around(self, node: ast.Attribute, before: str, after: str) -> None:
        """Replace an attribute by its object with text around it."""
        start, end = self._edits.span(node)
        self._edits.replace(start, start, before)
        self._edits.replace(self._edits.code.rindex(b".", start, end - len(node.attr.encode())), end, after)

    def _import(self, node: ast.Import | ast.ImportFrom, words: str, own: dict[ast.alias, str]) -> None:
        """Replace an import by an import of native modules and our assignments, on the same number of lines."""
        if own:
            native = ", ".join(ast.unparse(alias) for alias in node.names if alias not in own)
            parts = [words + native, *own.values()] if native else own.values()
            broken = " = " + "\\\n" * ((node.end_lineno or node.lineno) - node.lineno)
            self._edits.rename(node, "; ".join(parts).replace(" = ", broken, 1))

    def module(self, name: str) -> str:
        """Return the sandbox's name for one of our modules, and load it after the modules that it uses."""
        self.modules.update(dict.fromkeys([*stdlib.uses(name), name]))
        return stdlib.global_name(name)

    def helper(self, name: str) -> str:
        """Return the sandbox's name for one of our helpers."""
        self.module(stdlib.HELPERS)
        return f"{HELPERS}.{name}"
