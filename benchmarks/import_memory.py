"""How much memory and time an import takes, by the size of the file.

    python benchmarks/import_memory.py [MEGABYTES ...] [--words WORDS] [--folder FOLDER]

Default: 20 and 200 megabytes, each as three files: JSON Lines with a message a line, JSON Lines with a conversation a
line that has neither ids nor times, and a list of ChatGPT's conversations. Each file is imported twice, in a process of
its own each time. The second import adds nothing. The memory shown is the greatest of the whole process; a process that
only imports the package is shown first. 200 megabytes need about a gigabyte of disk. Timings are of this machine, and
are never asserted.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import import_file

WORDS = [f"w{number}" for number in range(20_000)]
FIRST, APART = 1_600_000_000, 60  # seconds since 1970, and between two messages
IN_CONVERSATION = 20


def messages(words: int) -> Iterator[dict[str, Any]]:
    """Messages of user and assistant, without end, of about so many words."""
    draw, number = random.Random(1), 0
    while True:
        text = " ".join(draw.choices(WORDS, k=int(words * draw.choice((0.2, 0.3, 2.5)))))
        yield {"role": ("user", "assistant")[number % 2], "content": text, "timestamp": FIRST + APART * number}
        number += 1


def conversations(words: int) -> Iterator[list[dict[str, Any]]]:
    """The same, in conversations."""
    endless = messages(words)
    while True:
        yield [next(endless) for _ in range(IN_CONVERSATION)]


def timeless(words: int) -> Iterator[list[dict[str, Any]]]:
    """Conversations whose messages have no times."""
    for talk in conversations(words):
        yield [{"role": each["role"], "content": each["content"]} for each in talk]


def chatgpt(words: int) -> Iterator[dict[str, Any]]:
    """Conversations as trees, as ChatGPT exports them."""
    for number, talk in enumerate(conversations(words)):
        nodes = {}
        for place, each in enumerate(talk):
            message = {"author": {"role": each["role"]}, "create_time": each["timestamp"], "id": f"{number}-{place}"}
            message["content"] = {"content_type": "text", "parts": [each["content"]]}
            nodes[f"{place}"] = {"parent": f"{place - 1}" if place else None, "message": message}
        yield {"title": f"Talk {number}", "id": f"{number}", "mapping": nodes, "current_node": f"{len(talk) - 1}"}


FILES = {"messages.jsonl": messages, "timeless.jsonl": timeless, "conversations.json": chatgpt}


def write(path: Path, size: int, words: int) -> None:
    """Make a file of so many bytes."""
    as_list = path.suffix == ".json"
    with path.open("w", encoding="ascii") as file:
        file.write("[" if as_list else "")
        for number, value in enumerate(FILES[path.name](words)):
            file.write(f"{(',' if as_list else '') if number else ''}{json.dumps(value)}\n")
            if file.tell() >= size:
                break
        file.write("]" if as_list else "")


def measure(path: Path, history: Path) -> None:
    """Import a file, and print what it took."""
    started, what = time.perf_counter(), "nothing"
    if path.name:
        with MemoryStore(history) as store:
            what = str(import_file(store, path))
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    seconds = time.perf_counter() - started
    print(f"{path.name:20}{int(peak[1]) / 1024:8,.0f} MB {seconds:8,.1f} s   {what}", flush=True)


def main() -> None:
    """Make the files, and import each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("megabytes", nargs="*", type=int, default=[20, 200])
    parser.add_argument("--words", type=int, default=80, help="words of a message, on average (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the files are made; default: the temporary folder")
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    command = [sys.executable, __file__, "--measure"]
    subprocess.run([*command, "", ""], check=True)
    for size in options.megabytes:
        print(f"files of {size} MB")
        for name in FILES:
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                path, history = Path(folder) / name, Path(folder) / "history.db"
                write(path, size * 1_000_000, options.words)
                for _ in range(2):
                    subprocess.run([*command, str(path), str(history)], check=True)


if __name__ == "__main__":
    main()
