"""Makes notebooks slow tests, and skips those that cannot be compared on this machine. Tests download nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nbval.kernel
import pytest

from rlm_memory_core.experiments.data.assets import LOCOMO, LONGMEMEVAL, DataUnavailable, locate
from rlm_memory_core.experiments.paper import paper_logs


def _start_again(*args: Any, start: Callable[..., Any] = nbval.kernel.start_new_kernel, **named: Any) -> Any:
    """Start a kernel, and once more if it does not respond: another process may have taken its port meanwhile."""
    try:
        return start(*args, **named)
    except RuntimeError:
        return start(*args, **named)


nbval.kernel.start_new_kernel = _start_again


def _histories() -> object:
    return locate(LONGMEMEVAL["s"], download=False)


def _talks() -> object:
    return locate(LOCOMO, download=False)


def _logs() -> object:
    return [paper_logs.find(name, download=False) for name in paper_logs.LOGS]


NEEDS: dict[str, tuple[Callable[[], object], ...]] = {
    "03_": (_histories,),
    "05_": (_histories, _logs),
    "06_": (_logs,),
    "07_": (_histories, _talks),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker("slow")
    for number, needs in NEEDS.items():
        try:
            for find in needs:
                find()
        except DataUnavailable as error:
            for item in items:
                if item.path.name.startswith(number):
                    item.add_marker(pytest.mark.skip(reason=str(error)))
