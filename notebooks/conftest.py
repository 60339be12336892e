"""Skips, with the reason, the notebooks whose data is not on this machine. Nothing is downloaded for a test."""

from __future__ import annotations

import pytest

from rlm_memory_core.experiments.assets import LONGMEMEVAL, DataUnavailable, locate


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    try:
        locate(LONGMEMEVAL["s"], download=False)
    except DataUnavailable as error:
        for item in items:
            if item.path.name.startswith("03_"):
                item.add_marker(pytest.mark.skip(reason=str(error)))
