"""How long a search of single turns takes, by the size of the history.

Run: python benchmarks/find.py [TURNS ...] [--folder FOLDER]

Default: 500 and 1,000,000 turns; 10,000,000 take some ten minutes to make, and 5 GB of disk.
With a folder the histories are kept there, and used again by the next run.

The histories are made of 50,000 words drawn by Zipf's law, so that a few words are nearly everywhere. Writing and
indexing are timed as well. Timings are of this machine, and are never asserted; seconds of the process count only its
own work. Searches run in a process of their own, whose greatest memory is shown.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from rlm_memory_core import MemoryStore
from rlm_memory_core.search.find import find_turns, linked_turns, turns_with
from rlm_memory_core.search.probes import Filters
from rlm_memory_core.search.word_index import PIECES, SPOKEN, TURNS

WORDS = np.array([f"w{chr(97 + n % 26)}{n}x" for n in range(50_000)], dtype=object)
SHARES = np.cumsum(1 / np.arange(1, len(WORDS) + 1))
SESSION, USER, ASSISTANT = 10, 12, 24  # turns of a session, words of a turn
BLOCK, FIRST = 20_000, 100_000  # turns written at once, and those that are not copies
TIMES = 9


COPY = (  # a session is one piece
    """INSERT INTO sessions (number, date) SELECT number + :sessions, date FROM sessions
    WHERE number <= :first / 10""",
    """INSERT INTO turns (turn_index, session, role, total_characters, timestamp, name, content)
    SELECT turn_index + :turns, session + :sessions, role, total_characters + :size, timestamp, name, content
    FROM turns WHERE turn_index <= :first""",
    f"""INSERT INTO {TURNS} (rowid, content) SELECT turn_index + :turns, content FROM turns
    WHERE turn_index <= :first""",
    f"""INSERT INTO {PIECES} SELECT number + :sessions, session + :sessions, first_turn + :turns, last_turn + :turns,
    part, day + :turns / 100 FROM {PIECES} WHERE number <= :first / 10""",
    f"""INSERT INTO {SPOKEN} (rowid, content) SELECT session + :sessions, group_concat(content, char(10))
    FROM turns WHERE turn_index <= :first AND role = 'user' GROUP BY session""",
)


def word(rank: int) -> str:
    """The word of this rank by frequency."""
    return str(WORDS[rank])


SEARCHES = {
    "a rare word": ([word(30_000)], None),
    "two probes": ([f"{word(4_000)} {word(777)}", f"{word(9_000)} {word(300)}"], None),
    "a question": ([" ".join(map(word, (1, 9, 30, 200, 3_000, 40, 77, 5)))], None),
    "common words": ([" ".join(map(word, (1, 2, 3)))], None),
    "between two days": ([f"{word(300)} {word(500)}"], Filters("user", 726_470, 726_570)),
    "twelve probes": ([f"{word(n * 97)} {word(n * 311)}" for n in range(1, 13)], None),
}


def main() -> None:
    """Make each history, and measure it in another process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("turns", nargs="*", type=lambda text: int(text.replace(",", "")), default=[500, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the histories are kept; default: a temporary folder")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    for turns in options.turns:
        with tempfile.TemporaryDirectory() as folder:
            path = (options.folder or Path(folder)) / f"find_{turns}.db"
            make(path, turns)
            subprocess.run([sys.executable, __file__, "--measure", str(path)], check=True)


def make(path: Path, turns: int) -> None:
    """Write and index the first turns as the package does, and copy them with their index until there are enough."""
    draw = np.random.default_rng(1)
    with MemoryStore(path) as store:
        if len(store):
            return
        first = min(turns, FIRST)
        started = time.perf_counter()
        for start in range(0, first, BLOCK):
            write(store, draw, min(BLOCK, first - start))
        written = time.perf_counter()
        find_turns(store, [word(1)])
        indexed = time.perf_counter()
        print(f"{first:,} turns: written in {written - started:,.1f} s, indexed in {indexed - written:,.1f} s")
        for copied in tqdm(range(first, turns, first), unit_scale=first, unit=" turns"):
            with store.transaction():
                for sql in COPY:
                    numbers = {"first": first, "turns": copied, "sessions": copied // SESSION}
                    numbers["size"] = store.characters(first) * (copied // first)
                    store.query(sql, numbers)


def write(store: MemoryStore, draw: np.random.Generator, turns: int) -> None:
    """Append sessions of the next days of some year."""
    lengths = (USER, ASSISTANT) * (turns // 2)
    drawn = WORDS[np.searchsorted(SHARES, draw.random(sum(lengths)) * SHARES[-1])]
    texts = [" ".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]
    with store.transaction():
        for start in range(0, turns, SESSION):
            day = len(store) // 100
            store.start_session(f"{1990 + day // 336 % 99}/{1 + day // 28 % 12:02}/{1 + day % 28:02} (Mon) 10:00")
            said = texts[start : start + SESSION]
            store.extend((("user", "assistant")[number % 2], text) for number, text in enumerate(said))


def measure(path: Path) -> None:
    """Print the table of one history."""
    with MemoryStore(path) as store:
        print(f"{'turns':>12}  {'search':<18}{'wall ms':>10}{'own ms':>10}")
        for name, (probes, filters) in SEARCHES.items():
            report(len(store), name, lambda probes=probes, filters=filters: find_turns(store, probes, filters))
        filters = Filters()
        hits = find_turns(store, SEARCHES["twelve probes"][0]).hits
        report(len(store), "linked turns", lambda: linked_turns(store, hits, filters, 3))
        report(len(store), "a timeline", lambda: turns_with(store, word(3_000), Filters(but="assistant"), 500))
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    print(f"memory at most: {int(peak[1]) / 1024:,.0f} MB\n", flush=True)


def report(turns: int, name: str, search) -> None:  # noqa: ANN001
    """Print the median of some runs."""
    taken = []
    for _ in range(TIMES):
        wall, own = time.perf_counter(), time.process_time()
        search()
        taken.append((time.perf_counter() - wall, time.process_time() - own))
    wall_ms, own_ms = (statistics.median(each) * 1e3 for each in zip(*taken, strict=True))
    print(f"{turns:>12,}  {name:<18}{wall_ms:>10.1f}{own_ms:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
