"""`kill -9` at a random moment of an import, then the import again: nothing is lost, nothing is doubled.

Run: python benchmarks/kills_import.py [KILLS] [MESSAGES]

The import is a process of its own, which says how much it has stored. The file holds messages with and without ids and
times. After the last kill of a trial the import runs to its end, and once more.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import import_file

KILLS_IN_A_ROW = 3


@dataclass(frozen=True)
class Trial:
    """One import that was killed, some times, and then finished.

    Args:
        stored: Messages in the store after each kill.
        broken: How often the store held less than what the import had said to be stored.
        lost, doubled: Messages that were missing, or there twice, at the end.
        again: Messages that one more import added.
    """

    stored: tuple[int, ...]
    broken: int
    lost: int
    doubled: int
    again: int


def write_export(path: Path, messages: int) -> list[str]:
    """Write conversations of every kind: with ids, with times, with both or none; returns what is said in them."""
    said, lines = [], []
    for number in range(messages // 10):
        turns = [{"role": "user", "content": f"conversation {number}, message {place}"} for place in range(10)]
        said += [turn["content"] for turn in turns]
        for place, turn in enumerate(turns):
            turn.update({"id": f"{number}-{place}"} if number % 4 == 1 else {})
            turn.update({"timestamp": 1.7e9 - 50_000 * number + 7_000 * place} if number % 4 > 1 else {})
        lines.append(json.dumps({"messages": turns, **({"id": f"c{number}"} if number % 4 == 3 else {})}))
    path.write_text("\n".join(lines))
    return said


def work(export: Path, store: Path) -> None:
    """The import that is killed."""
    with MemoryStore(store) as history:
        import_file(history, export, lambda what, done, total: print(what, done, flush=True))


def kill(export: Path, store: Path, lines: int, seconds: float) -> int:
    """Kill an import so many seconds after it has printed so many lines; returns how much it said to have stored."""
    command = [sys.executable, __file__, "--work", str(export), str(store)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = [line for _, line in zip(range(lines), process.stdout, strict=False)]
    time.sleep(seconds)
    process.kill()
    printed += process.communicate()[0].splitlines(keepends=True)
    told = [int(line.split()[1]) for line in printed if line.startswith("storing") and line.endswith("\n")]
    return max(told, default=0)


def trials(kills: int, messages: int, seed: int = 0) -> Iterator[Trial]:
    """Kill so many imports, each at random moments."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder, "export.jsonl")
        said = write_export(export, messages)
        reading, storing = messages // 10, messages // 1000  # lines that an import prints
        for number in range(kills):
            path, stored, broken = Path(folder, f"{number}.db"), [], 0
            for _ in range(KILLS_IN_A_ROW):
                before = stored[-1] if stored else 0
                lines = draw.choice((draw.randrange(reading), reading + draw.randrange(storing)))
                told = kill(export, path, lines, draw.uniform(0, 0.05))
                with MemoryStore(path) as store:
                    stored.append(len(store))
                broken += stored[-1] < before + told
            with MemoryStore(path) as store:
                import_file(store, export)
                found = Counter(turn.content for turn in store.turns)
                again = import_file(store, export).messages
            lost, doubled = len(set(said) - found.keys()), sum(count - 1 for count in found.values())
            yield Trial(tuple(stored), broken, lost, doubled, again)


def main(kills: int = 20, messages: int = 10_000) -> None:
    """Print what became of the trials."""
    started = time.perf_counter()
    done = list(trials(kills, messages))
    stored = sorted(count for trial in done for count in trial.stored)
    print(
        f"{kills} imports of {messages:,} messages, each killed {KILLS_IN_A_ROW} times and run again, in "
        f"{time.perf_counter() - started:.0f} s: stored at a kill {stored[0]:,} to {stored[-1]:,} messages "
        f"(median {stored[len(stored) // 2]:,}); said to be stored but missing: {sum(trial.broken for trial in done)}; "
        f"lost: {sum(trial.lost for trial in done)}; doubled: {sum(trial.doubled for trial in done)}; "
        f"added by one more import: {sum(trial.again for trial in done)}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(*map(int, sys.argv[1:]))
