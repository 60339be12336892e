import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from rlm_memory_core import MemoryStore, StoreError, Turn

TRICKY = [
    "",
    "a\0b",
    "emoji 🦜 and 👩‍👩‍👧",
    "right-to-left \u202eabc\u202c",
    "\ufeffbom",
    "tabs\tand\r\nlines\n",
    "'; DROP TABLE turns; --",
]


def test_turns_are_numbered_from_1_in_the_order_of_their_adding(store):
    first, second = store.add("user", "I grew up in Nairobi."), store.add("assistant", "Noted.")
    assert [first.index, second.index] == [1, 2]
    assert list(store.turns) == [first, second]
    assert len(store) == 2


def test_turns_before_any_session_form_one_of_their_own(store):
    store.add("user", "Hello.")
    assert store.start_session("today") == 2
    store.add("user", "Again.")
    assert [(s.number, s.date, len(s.turns)) for s in store.sessions] == [(1, None, 1), (2, "today", 1)]
    assert store.sessions[1].marker == "[--- Session 2 | today ---]"
    assert store.sessions[1].text == "[Turn 2][user]: Again."


def test_an_empty_store_has_nothing_anywhere(store):
    assert (store.to_string(), len(store), list(store.turns), list(store.sessions)) == ("", 0, [], [])
    assert (store.search_history("a"), store.get_recent(3), store.characters()) == ([], [], 0)


def test_lazily_read_sequences_behave_as_lists(store):
    store.extend(("user", str(number)) for number in range(1, 8))
    turns, listed = store.turns, list(store.turns)
    for part in (slice(None), slice(2, 5), slice(-3, None), slice(5, 2), slice(None, None, -1), slice(1, 99, 3)):
        assert turns[part] == listed[part], part
    assert [turns[0], turns[6], turns[-1], turns[-7]] == [listed[0], listed[6], listed[6], listed[0]]
    for position in (7, -8):
        with pytest.raises(IndexError):
            turns[position]
    assert turns == listed
    assert turns[2] in turns
    assert list(reversed(turns)) == listed[::-1]


def test_sequences_show_what_was_added_later(store):
    turns = store.turns
    store.add("user", "later")
    assert [turn.content for turn in turns] == ["later"]


def test_iteration_crosses_blocks_without_gap_or_repeat(store):
    with store.transaction():
        for number in range(1, 2502):
            store.start_session()
            store.add("user", str(number))
    assert [turn.index for turn in store.turns] == list(range(1, 2502))
    assert [session.turns[0].index for session in store.sessions] == list(range(1, 2502))


def test_search_ignores_case_and_reads_the_keyword_literally(store):
    store.extend([("user", "My CAT is 100% cat_like."), ("user", "A dog."), ("user", "Straße und ÉTÉ")])
    assert [turn.index for turn in store.search_history("cat")] == [1]
    assert [turn.index for turn in store.search_history("été")] == [3]
    assert [turn.index for turn in store.search_history("%")] == [1]
    assert store.search_history("c_t") == []


def test_recent_turns_come_in_order(store):
    store.extend(("user", str(number)) for number in range(5))
    assert [turn.content for turn in store.get_recent(2)] == ["3", "4"]
    assert len(store.get_recent(99)) == 5
    assert store.get_recent(0) == store.get_recent(-1) == []


@pytest.mark.parametrize("content", [*TRICKY, "x" * 10_000_000], ids=lambda text: ascii(text[:12]))
def test_any_text_comes_back_as_it_was(tmp_path, content):
    path = tmp_path / "history.db"
    with MemoryStore(path) as store:
        store.add("user", content)
        assert store.characters() == len(content)
    with MemoryStore(path) as store:
        assert store.turns[0].content == content


def test_lone_surrogates_are_replaced_and_paired_ones_kept(store):
    assert store.add("user", "a\ud800b").content == "a\ufffdb"
    assert store.add("user", "\ud83e\udd9c").content == "🦜"
    assert [turn.content for turn in store.turns] == ["a\ufffdb", "🦜"]


def test_lone_surrogates_in_role_and_date_are_replaced_as_well(store):
    store.start_session("\ud800")
    assert store.add("\ud800", "x").role == "\ufffd"
    assert store.sessions[0].date == "\ufffd"


@pytest.mark.parametrize(
    ("role", "content"), [("user", None), ("user", 3), ("user", b"x"), (None, "x"), ("user", ["x"])]
)
def test_what_is_not_text_is_refused_and_not_stored(store, role, content):
    with pytest.raises(TypeError, match="strings"):
        store.add(role, content)
    assert len(store) == 0


def test_timestamps_are_utc_unless_given(store):
    assert datetime.fromisoformat(store.add("user", "x").timestamp).utcoffset().total_seconds() == 0
    assert store.add("user", "x", timestamp="1999").timestamp == "1999"


def test_a_failure_within_extend_keeps_nothing(store):
    store.add("user", "before")
    with pytest.raises(TypeError):
        store.extend([("user", "one"), ("user", None)])
    assert store.add("user", "after").index == 2


def test_a_transaction_is_all_or_nothing_also_when_nested(store):
    def fail_inside():
        with store.transaction():
            store.start_session("lost")
            with store.transaction():
                store.add("user", "lost")
            raise LookupError

    with pytest.raises(LookupError):
        fail_inside()
    assert (len(store), len(store.sessions)) == (0, 0)


def test_a_file_keeps_the_history(tmp_path):
    path = tmp_path / "history.db"
    with MemoryStore(path) as store:
        store.start_session("2023/05/20")
        turn = store.add("user", "My cat is called Mochi.")
    with MemoryStore(str(path)) as again:
        assert list(again.turns) == [turn]
        assert again.sessions[0].date == "2023/05/20"
        assert again.add("user", "more") == Turn(2, 1, "user", "more", again.turns[1].timestamp)


def damaged(path):
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


def of_another_program(path):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE turns (id)")
    db.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("no database " * 500),
        lambda path: path.write_text("x"),
        damaged,
        of_another_program,
        lambda path: path.mkdir(),
    ],
    ids=["text", "one byte", "damaged", "another program's", "folder"],
)
def test_a_file_that_is_no_history_is_refused_in_one_line(tmp_path, make):
    path = tmp_path / "wrong.db"
    make(path)
    with pytest.raises(StoreError, match=r"wrong\.db") as caught:
        MemoryStore(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_one_byte_is_left_as_it_was(tmp_path):
    (tmp_path / "wrong.db").write_text("x")
    with pytest.raises(StoreError, match="give another file"):
        MemoryStore(tmp_path / "wrong.db")
    assert (tmp_path / "wrong.db").read_text() == "x"


def test_another_programs_file_is_left_as_it_was(tmp_path):
    of_another_program(tmp_path / "other.db")
    before = (tmp_path / "other.db").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        MemoryStore(tmp_path / "other.db")
    assert (tmp_path / "other.db").read_bytes() == before


def test_a_path_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    for path in (tmp_path / "no such folder" / "history.db", "/proc/history.db"):
        with pytest.raises(StoreError, match=r"history\.db"):
            MemoryStore(path)


def test_threads_append_at_once_without_loss_or_gap(store):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.add("user", str(number)), range(400)))
    assert [turn.index for turn in store.turns] == list(range(1, 401))
    assert {turn.content for turn in store.turns} == {str(number) for number in range(400)}


def test_a_reader_in_another_thread_sees_no_half_of_a_transaction(store):
    seen, inside, read = [], threading.Event(), threading.Event()

    def look():
        inside.wait(5)
        read.set()
        seen.append(len(store))

    reader = threading.Thread(target=look)
    reader.start()
    with store.transaction():
        store.add("user", "one")
        inside.set()
        read.wait(5)
        store.add("user", "two")
    reader.join()
    assert seen == [2]


APPEND = """
import sys
from rlm_memory_core import MemoryStore
store = MemoryStore(sys.argv[1])
for number in range(int(sys.argv[3])):
    print(store.add(sys.argv[2], f"{sys.argv[2]} {number}").index, flush=True)
"""


def appender(path, name, count):
    command = [sys.executable, "-c", APPEND, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_processes_append_at_once_to_a_new_file_without_loss_or_gap(tmp_path):
    processes = [appender(tmp_path / "history.db", name, 60) for name in "abc"]
    printed = [int(line) for process in processes for line in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in processes] == [0, 0, 0]
    with MemoryStore(tmp_path / "history.db") as store:
        assert sorted(printed) == [turn.index for turn in store.turns] == list(range(1, 181))
        for name in "abc":
            assert [t.content for t in store.turns if t.role == name] == [f"{name} {number}" for number in range(60)]


@pytest.mark.slow
def test_a_process_killed_in_mid_append_loses_nothing_it_was_told_is_stored(tmp_path):
    told = 0
    for after in (1, 7, 20, 33):  # lines read before the kill; the process is somewhere past them
        process = appender(tmp_path / "history.db", "user", 100_000)
        lines = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        lines += process.communicate(timeout=60)[0].splitlines(keepends=True)
        told = max(int(line) for line in lines if line.endswith("\n"))
        with MemoryStore(tmp_path / "history.db") as store:
            assert store.query("PRAGMA integrity_check") == [("ok",)]
            assert len(store) >= told
            assert [turn.index for turn in store.turns] == list(range(1, len(store) + 1))
    assert told > 50


def test_many_can_open_a_new_file_at_once(tmp_path):
    def add(path, start):
        start.wait(5)
        with MemoryStore(path) as store:
            store.add("user", "Hi")

    with ThreadPoolExecutor(4) as pool:
        for number in range(25):
            start = threading.Barrier(4)
            for opened in [pool.submit(add, tmp_path / f"{number}.db", start) for _ in range(4)]:
                opened.result()
            with MemoryStore(tmp_path / f"{number}.db") as store:
                assert len(store) == 4


def test_what_can_be_made_again_does_not_wait_for_the_disk_and_turns_do(tmp_path):
    with MemoryStore(tmp_path / "h.db") as store:
        with store.transaction(derived=True):
            store.query("CREATE TABLE made_again (x)")
            assert store.query("PRAGMA synchronous") == [(1,)]  # NORMAL
        with store.transaction():
            store.add("user", "Hi.")
            assert store.query("PRAGMA synchronous") == [(2,)]  # FULL
        with MemoryStore(tmp_path / "h.db") as other:
            assert other.query("SELECT name FROM sqlite_master WHERE name = 'made_again'")
            assert len(other) == 1
