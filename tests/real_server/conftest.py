"""A real server for these tests: llama.cpp with a model of 135 million parameters.

The model is weak. The tests are about the protocol and about what must not break, never about what it says.
"""

import importlib.util
import os

import pytest
from llama import MODEL, running, small_model

from rlm_memory_core import connect


@pytest.fixture(scope="session")
def real_server():
    """One server for all tests of a process; pytest-xdist gives those of a file to one process."""
    missing = "" if importlib.util.find_spec("xllamacpp") else "xllamacpp is not installed: make setup"
    if small_model() is None:
        missing = f"{MODEL} is not installed: make setup"
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    with running() as server:
        yield server


@pytest.fixture
def llm(real_server):
    """The small model; any option of `connect` can be given."""

    def build(**options):
        return connect(MODEL, real_server.url, **{"recorded": "off", "timeout": 600.0, **options})

    return build
