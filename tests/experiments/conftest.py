"""What several tests of the experiments read: the authors' logs, where they are at hand."""

import os

import pytest

from rlm_memory_core.experiments import paper_logs
from rlm_memory_core.experiments.assets import DataUnavailable


@pytest.fixture(scope="session")
def logs():
    if not os.environ.get("RLM_MEMORY_DATA"):
        pytest.skip("RLM_MEMORY_DATA is not set, beside which the authors' logs would lie")
    try:
        return paper_logs.load(download=False)
    except DataUnavailable as error:
        pytest.skip(str(error))
