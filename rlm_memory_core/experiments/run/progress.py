"""A notebook's progress, seen from the driver that runs it.

The kernel is another process without a terminal: it writes where it is to a small
file, and the driver draws the bar.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

_VARIABLE = "RLM_MEMORY_PROGRESS"
_INTERVAL = 0.3  # seconds between two looks at the file


class Progress:
    """A bar on the terminal, where there is one, and a word to the driver, where there is one.

    Args:
        total: Steps in all.
        show: False draws no bar.
    """

    def __init__(self, total: int, show: bool = True) -> None:
        self._bar = tqdm(total=total, unit="question", disable=None if show else True)
        self._label = ""
        self._done = 0
        self._total = total

    def start(self, label: str) -> None:
        """Say what the next steps are."""
        self._label = label
        self._bar.set_description(label)

    def advance(self) -> None:
        """One more step is done."""
        self._done += 1
        self._bar.update()
        path = os.environ.get(_VARIABLE)
        if path:
            draft = Path(path + ".part")
            draft.write_text(json.dumps([self._label, self._done, self._total]), encoding="utf-8")
            draft.replace(path)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


@contextmanager
def watch(name: str) -> Iterator[None]:
    """Draw the bar of what the notebooks started meanwhile report; none where the output is no terminal."""
    with TemporaryDirectory() as folder, tqdm(desc=name, unit="question", disable=None, leave=False) as bar:
        path = Path(folder) / "progress.json"
        stopped = threading.Event()
        watcher = threading.Thread(target=_draw, args=(path, bar, name, stopped), daemon=True)
        os.environ[_VARIABLE] = str(path)
        watcher.start()
        try:
            yield
        finally:
            stopped.set()
            watcher.join()
            del os.environ[_VARIABLE]


def _draw(path: Path, bar: tqdm, name: str, stopped: threading.Event) -> None:
    while not stopped.wait(_INTERVAL):
        with suppress(OSError, ValueError):
            label, bar.n, bar.total = json.loads(path.read_text(encoding="utf-8"))
            bar.set_description(f"{name}: {label}")
