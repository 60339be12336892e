"""What several tests of the experiments read: the authors' logs, where they are at hand."""

import os

import pytest

from rlm_memory_core.experiments.data.assets import DataUnavailable
from rlm_memory_core.experiments.paper import paper_logs


@pytest.fixture(scope="session")
def logs():
    if not os.environ.get("RLM_MEMORY_DATA"):
        pytest.skip("RLM_MEMORY_DATA is not set, beside which the authors' logs would lie")
    try:
        return paper_logs.load(download=False)
    except DataUnavailable as error:
        pytest.skip(str(error))
