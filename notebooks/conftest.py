"""Skips, with the reason, the notebooks whose data is not on this machine. Nothing is downloaded for a test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rlm_memory_core.experiments import paper_logs
from rlm_memory_core.experiments.assets import LONGMEMEVAL, DataUnavailable, locate


def _histories() -> object:
    return locate(LONGMEMEVAL["s"], download=False)


def _logs() -> object:
    return [paper_logs.find(name, download=False) for name in paper_logs.LOGS]


NEEDS: dict[str, tuple[Callable[[], object], ...]] = {"03_": (_histories,), "05_": (_histories, _logs), "06_": (_logs,)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for number, needs in NEEDS.items():
        try:
            for find in needs:
                find()
        except DataUnavailable as error:
            for item in items:
                if item.path.name.startswith(number):
                    item.add_marker(pytest.mark.skip(reason=str(error)))
