"""Starts `rlm-memory` and `python -m rlm_memory_core`. Ctrl-C prints one line, even while modules are loading."""

import sys


def main() -> int:
    """Load the command line, run it, and return its exit code."""
    try:
        from .cli.main import main as run

        return run()
    except KeyboardInterrupt:
        print("rlm-memory: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
