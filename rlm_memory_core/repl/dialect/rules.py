"""What is rewritten in a program.

Imports of modules that the sandbox lacks; functions and methods that its own modules and values lack; built-in methods
that are passed on (`key=counts.get`); generator expressions that `next` reads; and calls of `map`, `sorted`, `any` and
the like that may have to wait for a sub-agent, which the sandbox's own cannot.
"""

from __future__ import annotations

import ast
import builtins
import datetime
import re
from collections import Counter, deque
from collections.abc import Collection

from .. import stdlib
from .text_edits import TextEdits
from .twins import write_twin_lambda

HELPERS = stdlib.global_name(stdlib.HELPERS)
_HELPERS = stdlib.names(stdlib.HELPERS)  # `re_sub` is there because the sandbox lacks a part of `re.sub`

Words = Collection[str]
_METHODS = {"isocalendar", "toordinal", "translate", "maketrans", "strptime", "sub", "sort"}
_MISSING = {"callable", "issubclass", "globals"}
_CALLS_BACK = {"map", "filter", "sorted", "min", "max"}  # cannot wait for a host function
_STOPS_EARLY = {"any", "all", "next"}
_TAKES_CALLS = {"map", "submit", "to_thread", "run_in_executor"}  # runs the calls of a function at once
_TYPES = (str, list, dict, set, tuple, int, float, bytes, deque, Counter)
_OTHERS = (datetime.datetime, datetime.timedelta, re.Pattern, re.Match)
_BUILTIN_METHODS = {name for kind in (*_TYPES, *_OTHERS) for name in dir(kind)}


class Rules(ast.NodeVisitor):
    """Adds the edits that a program needs.

    Args:
        edits: Takes the edits.
        bound: Names that the session binds at its top level or this program anywhere.
        local: Names that this program binds other than by an import.
        modules: Modules of the sandbox's own, by the names that programs gave them.
        hosts: Host functions.
        asking: Functions that ask sub-agents and have an awaiting twin.

    Attributes:
        modules: Modules of `rlm_memory_core.repl.stdlib` that the program needs.
        missing: Built-in functions that must be defined first.
    """

    def __init__(
        self, edits: TextEdits, bound: Words, local: Words, modules: dict[str, str], hosts: Words, asking: Words
    ) -> None:
        self.modules: dict[str, None] = {}
        self.missing: set[str] = set()
        self._edits, self._bound, self._local, self._modules = edits, bound, local, modules
        self._hosts, self._asking = hosts, asking
        self._done: set[ast.AST] = set()  # nodes that stay, or are rewritten with their parent
        self._in_class = False
        self._sharing: set[ast.AST] = set()  # generator expressions in the parentheses of a call

    # statements

    def visit_Import(self, node: ast.Import) -> None:
        """Take the modules that the sandbox lacks from ours."""
        own, native = [], []
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            if alias.name in stdlib.MODULES:
                own.append(f"{name} = {self._module(alias.name if alias.asname else name)}")
                self._module(alias.name)
            else:
                self._modules[name] = alias.name
                native.append(ast.unparse(alias))
        self._import(node, "import ", native, own)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Take the functions that the sandbox lacks from ours."""
        module = node.module or ""
        own, native = [], []
        for alias in node.names:
            name, full = alias.asname or alias.name, f"{module}.{alias.name}"
            if f"{module}_{alias.name}" in _HELPERS:
                own.append(f"{name} = {self._helper(f'{module}_{alias.name}')}")
            elif full in stdlib.MODULES:
                own.append(f"{name} = {self._module(full)}")
            elif module in stdlib.MODULES and alias.name in stdlib.names(module):
                own.append(f"{name} = {self._module(module)}.{alias.name}")
            else:
                native.append(ast.unparse(alias))
        self._import(node, f"from {module} import ", native, own)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Note that its body is one where `:=` is not allowed everywhere."""
        self._visit_body(node, in_class=True)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Note that its body is no class's."""
        self.visit(node.args)
        self._visit_body(node, in_class=False)

    # expressions

    def visit_Name(self, node: ast.Name) -> None:
        """Define a built-in function that the sandbox lacks."""
        if node.id in _MISSING and isinstance(node.ctx, ast.Load):
            self.missing.add(node.id)
            self._module(stdlib.HELPERS)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        """Make an iterator: in the sandbox a generator expression is a list."""
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
            module = "" if name in self._local else self._modules.get(name, "")
            if f"{module}_{node.attr}" in _HELPERS:
                self._edits.rename(node, self._helper(f"{module}_{node.attr}"))
                return
            if node.attr in _METHODS and not module:
                self._around(node, f"{self._helper('method')}(", f", {node.attr!r})")
            elif node.attr == "__name__" and name:
                self._around(node, f"{self._helper('name_of')}(", ")")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Replace what calls a function of the program's and could not wait for a sub-agent in it."""
        function = node.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        first = node.args[0] if node.args else None
        key = next((keyword.value for keyword in node.keywords if keyword.arg == "key"), None)
        is_builtin = isinstance(function, ast.Name) and name not in self._bound
        called = first if name in ("map", "filter") else key
        if is_builtin and called is not None:
            self._pass_method(called)
            if name in _CALLS_BACK and self._may_wait(called):
                self._edits.rename(function, self._helper(f"{name}_by"))
        if isinstance(first, ast.GeneratorExp):
            if self._edits.span(first)[1] == self._edits.span(node)[1]:
                self._sharing.add(first)
            if is_builtin and name in _STOPS_EARLY and not self._in_class and self._may_wait(first):
                self._stop_early(node, first, name)
            elif name != "next" and name not in self._hosts:
                self._done.add(first)
        if isinstance(function, ast.Attribute):
            if called is not None:
                self._pass_method(called)
            if self._is_native(node, name, key):
                self._done.add(function)
        self.generic_visit(node)
        for each in node.args if name in _TAKES_CALLS else ():
            if isinstance(each, ast.Lambda) and (twin := write_twin_lambda(each, self._asking, self._edits)):
                self._edits.wrap(each, f"{self._helper('Pair')}(", f", {twin})")

    def _is_native(self, node: ast.Call, name: str, key: ast.expr | None) -> bool:
        """Whether the sandbox knows this form of a call of which it lacks others."""
        constants = [each for each in node.args if isinstance(each, (ast.Constant, ast.JoinedStr))]
        if name in ("sub", "subn"):
            return len(node.args) > 1 and node.args[-2] in constants
        if name == "strptime":
            form = getattr(node.args[-1], "value", "") if node.args else ""
            return isinstance(form, str) and "%d" in form and ("%Y" in form or "%y" in form)
        if name == "dumps":
            return all(keyword.arg not in ("default", None) for keyword in node.keywords)
        return name == "sort" and (key is None or not self._may_wait(key))

    def _stop_early(self, call: ast.Call, node: ast.GeneratorExp, name: str) -> None:
        """Ask no more once a value settles `any`, `all` or `next`."""
        start, end = self._edits.span(node)
        is_shared, until = node in self._sharing, f"_rlm_until_{len(self._edits.edits)}"
        self._done.add(node)
        self._edits.rename(call.func, self._helper("settled"))
        self._edits.replace(start + is_shared, start + 1, f"({until} := {self._helper('Until')}({name!r}), [")
        self._edits.wrap(node.elt, f"{until}.see(", ")")
        for loop in node.generators:
            self._edits.wrap(loop.iter, f"{until}.each(", ")")
        self._edits.replace(end - 1, end - is_shared, "])[0]")

    def _may_wait(self, node: ast.expr) -> bool:
        """Whether code may call a host function, or binds a name. Over-approximates: so may unknown functions."""
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
        """Make a function of a built-in method: the sandbox calls these, and does not pass them on."""
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

    def _visit_body(self, node: ast.ClassDef | ast.FunctionDef, in_class: bool) -> None:
        outer, self._in_class = self._in_class, in_class
        for part in (*node.decorator_list, *node.body):
            self.visit(part)
        self._in_class = outer

    def _import(self, node: ast.stmt, words: str, native: list[str], own: list[str]) -> None:
        """Write an import anew, on as many lines as it had."""
        if own:
            name, _, value = own[-1].partition(" = ")
            blank = "\n" * ((node.end_lineno or node.lineno) - node.lineno)
            own[-1] = f"{name} = ({blank}{value})" if blank else own[-1]
            self._edits.rename(node, "; ".join([words + ", ".join(native), *own] if native else own))

    def _module(self, name: str) -> str:
        """The sandbox's name for one of our modules; the modules that it uses come first."""
        self.modules.update(dict.fromkeys([*stdlib.uses(name), name]))
        return stdlib.global_name(name)

    def _helper(self, name: str) -> str:
        self._module(stdlib.HELPERS)
        return f"{HELPERS}.{name}"
