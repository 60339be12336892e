"""The tree shows the architecture: what lies where, and how large each part is.

import-linter, which `make test` runs, checks which way imports point.
"""

import ast
from pathlib import Path

import grimp
import pytest

import rlm_memory_core

FOLDER = Path(rlm_memory_core.__file__).parent
FILES = sorted(path.relative_to(FOLDER) for path in FOLDER.rglob("*.py"))
# The core may have 5,300 lines. Where a part of it needs more than was planned (store 500, models 1,300, query 1,400),
# the others need less.
BUDGETS = {
    "store": 640, "models": 1440, "search": 800, "repl": 700, "repl/dialect": 300, "repl/stdlib": 1100, "query": 1440,
    "chat": 300, "imports": 450, "offline": 500, "views": 500, "cli": 600, "serving": 600, "experiments": 4500,
}  # fmt: skip
CORE = ("store", "models", "search", "repl", "repl/dialect", "query", "chat")
CORE_BUDGET = 5_300


def code_lines(source):
    """Lines that are not blank, no comment and in no docstring."""
    docs = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docs.update(range(node.lineno, node.end_lineno + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(1 for n, line in lines if line.strip() and not line.strip().startswith("#") and n not in docs)


def part_of(path):
    two = "/".join(path.parts[:2])
    return two if two in BUDGETS else path.parts[0]


@pytest.fixture(scope="module")
def sizes():
    counted = {}
    for path in FILES:
        part = part_of(path)
        counted[part] = counted.get(part, 0) + code_lines((FOLDER / path).read_text(encoding="utf-8"))
    return counted


def test_code_lines_leave_out_blanks_comments_and_docstrings():
    assert code_lines('"""Doc.\n\nMore."""\n\n# why\nx = 1  # how\n\ndef f():\n    "Doc."\n    return x\n') == 3


@pytest.mark.parametrize("part", BUDGETS)
def test_each_part_is_within_its_budget(sizes, part):
    assert sizes.get(part, 0) <= BUDGETS[part]


def test_the_core_is_within_its_budget(sizes):
    assert sum(sizes[part] for part in CORE) <= CORE_BUDGET


def test_the_root_holds_the_face_of_the_package_and_folders():
    here = {path.name for path in FOLDER.iterdir() if path.is_file()}
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert here - {"py.typed"} == {"__init__.py", "__main__.py"}
    assert folders == {part.split("/")[0] for part in BUDGETS}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_file_is_too_long_or_too_short(path):
    lines = len((FOLDER / path).read_text(encoding="utf-8").splitlines())
    assert lines <= 300
    if path.name not in ("__init__.py", "__main__.py") and path.parts[:2] != ("repl", "stdlib"):
        assert lines >= 15


def test_folders_lie_on_few_levels():
    """A folder's level is one above the highest that it imports, but for the folder that it lies in.

    The modules of the root are a level of their own.
    """
    graph = grimp.build_graph("rlm_memory_core", cache_dir=None)
    folders = {str(path.parent).replace("/", ".").removeprefix(".") for path in FILES}

    def folder_of(module):
        name = module.removeprefix("rlm_memory_core").removeprefix(".")
        return name if name in folders else name.rpartition(".")[0]

    imported = {}
    for module in graph.modules - {"rlm_memory_core.__main__"}:
        for other in graph.find_modules_directly_imported_by(module):
            here, there = folder_of(module), folder_of(other)
            if here != there and not (there and here.startswith(f"{there}.")):
                imported.setdefault(here, set()).add(there)

    def level(folder):
        return 1 + max(map(level, imported.get(folder, ())), default=0)

    assert max(map(level, folders)) <= 10
