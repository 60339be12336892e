"""The changes to a program's imports: of modules that the sandbox lacks and we have, and of functions that they lack.

What a program imports of the sandbox's own modules is left as it is, and noted in what is known of the session.
"""

from __future__ import annotations

import ast

from .. import stdlib as sandbox
from . import tables
from .program import Known
from .text_changes import TextChanges

HELPERS = sandbox.global_name(sandbox.HELPERS)


class ImportEdits(TextChanges, ast.NodeVisitor):
    """Collects the changes to imports, and the `modules` that a changed program stands on.

    Args:
        known: What the session's programs have bound; imported names are added to it.
        code: The program.
    """

    def __init__(self, known: Known, code: str) -> None:
        super().__init__(code)
        self.modules: dict[str, None] = {}
        self._known = known

    def visit_Import(self, node: ast.Import) -> None:  # noqa: D102
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
                self._known.modules[name] = alias.name
                parts.append(f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else ""))
        if own:
            self._statement(node, parts)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: D102
        module = node.module or ""
        parts, native, own = [], [], False
        for alias in node.names:
            name, full = alias.asname or alias.name, f"{module}.{alias.name}"
            self._known.imported[name] = full
            if (module, alias.name) in tables.FUNCTIONS:
                own = True
                parts.append(f"{name} = {self._helper(tables.FUNCTIONS[module, alias.name])}")
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

    def _helper(self, name: str) -> str:
        self.modules[sandbox.HELPERS] = None
        return f"{HELPERS}.{name}"
