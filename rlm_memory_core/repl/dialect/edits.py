"""The changes that make a program one for the sandbox: where in its text, and what to.

A visitor over the program's syntax collects them, and `text_changes` makes them. What each is for stands in
`rlm_memory_core.repl.dialect.rewriting`; what a name stands for is `rlm_memory_core.repl.dialect.program`'s to say.
"""

from __future__ import annotations

import ast

from . import lazy, tables
from .generators import as_list
from .import_edits import HELPERS, ImportEdits
from .nodes import within
from .program import LATER, Known, as_value, is_known, needs_rewriting
from .scopes import ScopedVisitor, parameters


class Edits(ImportEdits, ScopedVisitor, ast.NodeVisitor):
    """Collects the changes to a program's text.

    Args:
        known: What the session's programs have bound, this one's names among them.
        code: The program.
    """

    def __init__(self, known: Known, code: str) -> None:
        super().__init__(known, code)
        self.needs_names = False
        self._in_class = 0
        self.inserted: list[int] = []
        self.twins: dict[str, ast.AsyncFunctionDef] = {}
        self._native: set[ast.AST] = set()  # functions that the sandbox knows as they are called
        self._calls: set[int] = set()  # parentheses of calls that a generator expression shares
        self._lists: set[ast.AST] = set()  # generator expressions of which all values are taken
        self._early: dict[ast.AST, str] = {}  # calls of map and filter that stop early, with the helper
        self._lazy = 0  # generator expressions that stop early

    # statements

    def visit_Delete(self, node: ast.Delete) -> None:  # noqa: D102
        parts = []
        for target in node.targets:
            if isinstance(target, ast.Name):
                parts.append(f"{target.id} = {self._helper('Deleted')}({target.id!r})")
            elif isinstance(target, ast.Subscript):
                key = ast.unparse(as_value(target.slice))
                parts.append(f"{self._helper('delete_item')}({ast.unparse(target.value)}, {key})")
            else:
                return
        self._statement(node, parts)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: D102
        self._in_class += 1
        self.generic_visit(node)
        self._in_class -= 1

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:  # noqa: D102
        changes = None if self._in_class else as_list(node, self._known.shows)
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
        self.generic_visit(node)

    # expressions

    def visit_Call(self, node: ast.Call) -> None:  # noqa: D102
        function = node.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        if name in tables.TAKES_ALL:
            self._lists.update(node.args)
        if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
            opening = self._code.index(b"(", self._at(function, end=True))
            if opening == self._at(node.args[0]):
                self._calls.add(opening)
        if isinstance(function, ast.Name):
            self._called_name(node, function.id)
            self._stops_early(node, function.id)
        elif is_known(node, name):
            self._native.add(function)
        elif isinstance(function, ast.Attribute):
            self._called_attribute(node, function)
        for keyword in node.keywords:
            if keyword.arg == "key":
                self._as_function(keyword.value)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:  # noqa: D102
        if node.id in tables.BUILTINS and isinstance(node.ctx, ast.Load) and self._is_builtin(node.id):
            self._change(self._at(node), self._at(node, end=True), self._helper(node.id))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:  # noqa: D102
        if node not in self._lists:  # it is a list in the sandbox
            start, end = self._at(node), self._at(node, end=True)
            self._change(start, start, "(iter" if self._is_alone(start) else "iter")
            if self._is_alone(start):
                self._change(end, end, ")")
        self.generic_visit(node)

    def _is_alone(self, start: int) -> bool:
        """Whether the parentheses of a generator expression are those of a call."""
        return start in self._calls

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: D102
        if isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.attr == "__name__" and node.value.id in self._known.functions and self._is_global(node.value.id):
                self._change(self._at(node), self._at(node, end=True), repr(node.value.id))
                return
            module = self._module(node.value)
            helper = tables.FUNCTIONS.get((module, node.attr))
            if helper is not None and node not in self._native:
                self._change(self._at(node), self._at(node, end=True), self._helper(helper))
                return
        self.generic_visit(node)

    def _stops_early(self, node: ast.Call, name: str) -> None:
        """`any`, `all` and `next` of a generator expression that asks, prints or binds a name."""
        if name not in lazy.SETTLED or not self._is_builtin(name) or not node.args:
            return
        first = node.args[0]
        inner = first.func.id if isinstance(first, ast.Call) and isinstance(first.func, ast.Name) else ""
        if (name, inner) in tables.WAITING_EARLY and len(node.args) <= (2 if name == "next" else 1):
            self._early[first] = tables.WAITING_EARLY[name, inner]
        elif self._may_show(first) and not self.is_in_class_body():
            until = f"{HELPERS}.Until"
            changes = lazy.as_list(node, self._code, self._span, until, f"_rlm_until_{self._lazy}")
            if changes:
                self._helper("Until")
                self._lazy += 1
                self._lists.add(node.args[0])
                self._changes += changes

    def _reaches(self, node: ast.expr) -> bool:
        return self._known.reaches(node, self.locals())

    def _may_show(self, node: ast.expr) -> bool:
        is_named = any(isinstance(inner, ast.NamedExpr) for inner in within(node))
        return is_named or self._known.shows(node) or self._reaches(node)

    def _called_name(self, node: ast.Call, name: str) -> None:
        if name in tables.WAITING and node.args and self._is_builtin(name):
            key = next((keyword.value for keyword in node.keywords if keyword.arg == "key"), None)
            first = node.args[0] if name in tables.TAKES_FUNCTION and len(node.args) > 1 else key
            if first is not None and self._reaches(first):
                helper = self._early.get(node, tables.WAITING[name])
                self._change(self._at(node.func), self._at(node.func, end=True), self._helper(helper))
                if name == "map" and node not in self._early:
                    self._pair(first)
                    return
        if name in tables.TAKES_FUNCTION and node.args:
            self._as_function(node.args[0])
        elif name == "globals" and not node.args and not node.keywords:
            self.needs_names = True
            self._change(self._at(node), self._at(node, end=True), f"{self._helper('names')}(_rlm_names)")
        elif self._known.imported.get(name) == "asyncio.to_thread" and node.args:
            self._pair(node.args[0])
        elif self._is_global(name) and name not in self._known.functions:
            self._called_imported(node, self._known.imported.get(name, ""))

    def _called_imported(self, node: ast.Call, full: str) -> None:
        """A function of itertools that cannot wait for the host function which it calls."""
        keys = [*node.args[1:2], *(each.value for each in node.keywords)] if full.endswith("groupby") else node.args[:1]
        if full in tables.WAITING_IMPORTED and any(map(self._reaches, keys)):
            self._change(
                self._at(node.func), self._at(node.func, end=True), self._helper(tables.WAITING_IMPORTED[full])
            )

    def _called_attribute(self, node: ast.Call, function: ast.Attribute) -> None:
        owner = self._module(function.value)
        if owner:
            self._called_imported(node, f"{owner}.{function.attr}")
        is_thread = (owner, function.attr) == ("asyncio", "to_thread")
        if node.args and (is_thread or (function.attr in tables.POOL_METHODS and not owner)):
            self._pair(node.args[0])
        elif function.attr == "run_in_executor" and len(node.args) > 1:
            self._pair(node.args[1])
        elif function.attr == "sort" and any(each.arg == "key" and self._reaches(each.value) for each in node.keywords):
            self._as_call(node, function, self._helper("sort_by"))
        elif (function.attr in tables.METHODS and not owner and not self._is_type(function.value)) or (
            function.attr == "sub" and not owner and node.args and self._is_function(node.args[0])
        ):
            helper = "pattern_sub" if function.attr == "sub" else function.attr
            self._as_call(node, function, self._helper(helper))
        elif function.attr == "maketrans" and isinstance(function.value, ast.Name) and function.value.id == "str":
            self._change(self._at(function), self._at(function, end=True), self._helper("maketrans"))

    def _is_type(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in tables.TYPES and self._is_builtin(node.id)

    def _is_global(self, name: str) -> bool:
        return name not in self.locals()

    def _is_builtin(self, name: str) -> bool:
        return name not in self._known.names and self._is_global(name)

    def _module(self, node: ast.expr) -> str:
        """The module that a name stands for; "" where it stands for none."""
        return self._known.modules.get(node.id, "") if isinstance(node, ast.Name) and self._is_global(node.id) else ""

    def _is_function(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Lambda) or (isinstance(node, ast.Name) and node.id in self._known.functions)

    def _as_call(self, node: ast.Call, function: ast.Attribute, helper: str) -> None:
        """`value.method(arguments)` as `helper(value, arguments)`."""
        name = self._at(function, end=True) - len(function.attr.encode())
        dot = self._code.rindex(b".", 0, name)
        opening = self._code.index(b"(", name)
        self._change(self._at(function), self._at(function), f"{helper}(")
        self._change(dot, opening + 1, ", " if node.args or node.keywords else "")

    def _as_function(self, node: ast.expr) -> None:
        """`value.method` where a function is wanted."""
        if not (isinstance(node, ast.Attribute) and node.attr in tables.BOUND):
            return
        if self._module(node.value):
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
        if isinstance(node, ast.Name) and self._known.is_awaitable(node.id) and self._is_global(node.id):
            later = self._later(node.id)
        elif isinstance(node, ast.Lambda) and isinstance(node.body, ast.Call) and isinstance(node.body.func, ast.Name):
            body, name = node.body, node.body.func.id
            arguments = [*body.args, *(keyword.value for keyword in body.keywords)]
            is_ours = self._is_global(name) and name not in parameters(node)
            if is_ours and self._known.is_awaitable(name) and not any(map(self._known.asks, arguments)):
                if any(
                    needs_rewriting(each, self._known, self.locals()) for part in arguments for each in within(part)
                ):
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
        self.twins.update(self._known.twins(name))
        return LATER + name
