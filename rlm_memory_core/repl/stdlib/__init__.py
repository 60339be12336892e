"""Python modules that the REPL's sandbox lacks, as source for it to run.

Each file beside this one is the part of a standard module that model-written code uses (`statistics`,
`textwrap`, thread pools, ...), in the Python that the sandbox knows. Nothing here runs in
the host on a program's behalf: a module's source is fed to the sandbox by the first program that imports it, and
what it computes counts against that program's time and memory. `host.py` and `host_values.py` hold no module but
the helpers that rewritten code calls (`rlm_memory_core.repl.dialect.rules`). `crossing.py` makes the host functions.
"""

import ast
from functools import cache
from importlib import resources
from textwrap import indent

MODULES = {
    "calendar": "calendar",
    "concurrent": "",
    "concurrent.futures": "concurrent_futures",
    "dateutil": "",
    "dateutil.parser": "dateutil_parser",
    "dateutil.relativedelta": "dateutil_relativedelta",
    "difflib": "difflib",
    "heapq": "heapq",
    "operator": "operator",
    "pprint": "pprint",
    "statistics": "statistics",
    "string": "string",
    "textwrap": "textwrap",
    "threading": "threading",
}
"""Modules by the name that programs import, with the file that holds them; "" for a package of others."""

HELPERS = "host"
_HELPER_FILES = ("host", "host_values")


def global_name(module: str) -> str:
    """The name by which the sandbox knows a module of this folder.

    >>> global_name("concurrent.futures")
    '_rlm_concurrent_futures'
    """
    return f"_rlm_{module.replace('.', '_')}"


@cache
def names(module: str) -> frozenset[str]:
    """What a program may import from a module of this folder."""
    if MODULES.get(module) == "":
        return frozenset(name.removeprefix(f"{module}.") for name in MODULES if name.startswith(f"{module}."))
    return frozenset(_exported(ast.parse(_text(module))))


@cache
def uses(module: str) -> tuple[str, ...]:
    """The modules of this folder that a module uses.

    >>> uses("concurrent")
    ('host', 'concurrent.futures')
    """
    parts = [name for name in MODULES if name.startswith(f"{module}.")]
    found = dict.fromkeys(used for part in parts for used in (*uses(part), part))
    is_helped = MODULES.get(module) and f"{global_name(HELPERS)}." in source(module)
    return (HELPERS, *found) if is_helped else tuple(found)


@cache
def source(module: str) -> str:
    """The code that makes a module in the sandbox, under its `global_name`."""
    if MODULES.get(module) == "":
        body, exported = "", {name: global_name(f"{module}.{name}") for name in sorted(names(module))}
    else:
        tree = ast.parse(_text(module))
        exported = {name: name for name in _exported(tree)}
        tree.body = [node for node in tree.body if not _is_for_the_host(node)]
        body = ast.unparse(tree)
    made = global_name(module)
    lines = [body, "class Module: pass", "module = Module()"]
    lines += [f"module.{name} = {value}" for name, value in exported.items()]
    inner = indent("\n".join((*lines, "return module")), "    ")
    return f"def _rlm_make():\n{inner}\n{made} = _rlm_make()"


@cache  # queries of one reading have the same functions
def host_functions(names: tuple[str, ...]) -> str:
    """The code that makes the host functions in a new session, each by its name."""
    call = f"{global_name('crossing')}.call"
    made = [f"def {name}(*args, **kwargs): return {call}({name!r}, args, kwargs)" for name in names]
    return "\n".join([source("crossing"), *made, "_rlm_call_host = None"])


def _text(module: str) -> str:
    files = _HELPER_FILES if module == HELPERS else (MODULES.get(module, module),)
    folder = resources.files(__package__)
    return "\n".join(folder.joinpath(f"{file}.py").read_text(encoding="utf-8") for file in files)


def _exported(tree: ast.Module) -> list[str]:
    found = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in found if not name.startswith("_")]


def _is_for_the_host(node: ast.stmt) -> bool:
    """Docstrings, and the import that only a reader of annotations needs."""
    return isinstance(node, ast.Expr) or (isinstance(node, ast.ImportFrom) and node.module == "__future__")
