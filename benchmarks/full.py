"""Runs the slow tests that continuous integration shortens, as often as a release needs: some four minutes.

A thousand queries of whose calls a tenth fail, a thousand requests at fifty at once, twenty MCP clients on one file and
twenty on one server, the evidence of all the paper's questions, 300 rounds of cancelled sessions.

    python benchmarks/full.py
"""

import re
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent / "tests"


def main() -> int:
    """Run each test that asks for the fixture `times`."""
    shortened = [
        str(path) for path in sorted(TESTS.rglob("test_*.py")) if re.search(r"\btimes\(", path.read_text("utf-8"))
    ]
    return pytest.main(["-p", "no:nbval", "-m", "slow", "--full", "--durations=0", *shortened])


if __name__ == "__main__":
    sys.exit(main())
