"""Skips the notebooks that cannot be compared on this machine, with the reason. Tests download nothing.

Skips notebooks whose data is missing, and the scorecard after a run of your own: the committed one has other figures.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from rlm_memory_core.experiments.data.assets import LOCOMO, LONGMEMEVAL, DataUnavailable, locate, project_root
from rlm_memory_core.experiments.paper import paper_logs


def _histories() -> object:
    return locate(LONGMEMEVAL["s"], download=False)


def _talks() -> object:
    return locate(LOCOMO, download=False)


def _logs() -> object:
    return [paper_logs.find(name, download=False) for name in paper_logs.LOGS]


def _committed_results() -> None:
    asked = ["git", "diff", "--quiet", "HEAD", "--", "outputs/offline/results"]
    if subprocess.run(asked, cwd=project_root(), capture_output=True, check=False).returncode == 1:
        raise DataUnavailable("outputs/offline/results are of a run of your own, not those that the notebook shows")


NEEDS: dict[str, tuple[Callable[[], object], ...]] = {
    "03_": (_histories,),
    "05_": (_histories, _logs),
    "06_": (_logs,),
    "07_": (_histories, _talks),
    "99_": (_committed_results,),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for number, needs in NEEDS.items():
        try:
            for find in needs:
                find()
        except DataUnavailable as error:
            for item in items:
                if item.path.name.startswith(number):
                    item.add_marker(pytest.mark.skip(reason=str(error)))
