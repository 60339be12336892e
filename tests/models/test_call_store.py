"""The file of recorded calls: written by several at once, damaged at any place, of other versions, pruned."""

import random
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from asking import ask

from rlm_memory_core import ModelError
from rlm_memory_core.models import background
from rlm_memory_core.models.call_store import CallStore, RecordingError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.sqlite"


def put(calls, *rows):
    for row in rows:
        calls.put(*row)


def got(calls, key):
    call = calls.get(key)
    return call and (call.response, call.seconds)


WRITE = """
import sys
from pathlib import Path
from rlm_memory_core.models.call_store import CallStore
calls = CallStore(Path(sys.argv[1]))
for number in range(60):
    calls.put(f"{sys.argv[2]} {number}", "m", sys.argv[2] * number, 0.5)
    assert calls.get(f"{sys.argv[2]} {number}").response == sys.argv[2] * number
"""


def test_processes_write_one_file_at_once(path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, str(path), name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    calls = CallStore(path)
    assert len(calls) == 120
    assert got(calls, "b 59") == ("b" * 59, 0.5)
    calls.close()


def test_many_can_open_a_new_file_at_once(tmp_path):
    def write(path, start, name):
        start.wait(5)
        calls = CallStore(path)
        put(calls, (name, "m", "{}", 0.0))
        calls.close()

    with ThreadPoolExecutor(4) as pool:
        for number in range(15):
            start = threading.Barrier(4)
            for opened in [pool.submit(write, tmp_path / f"{number}.db", start, name) for name in "abcd"]:
                opened.result()


def test_the_last_answer_of_a_key_stays(path):
    calls = CallStore(path)
    put(calls, *[(str(number % 50), "m", str(number), 1.5) for number in range(100)])
    assert [got(calls, str(number)) for number in range(50)] == [(str(number + 50), 1.5) for number in range(50)]
    calls.close()


def test_a_folder_in_place_of_the_file_is_a_clear_error(tmp_path):
    with pytest.raises(RecordingError, match="cannot be opened"):
        CallStore(tmp_path)


def test_a_failure_to_write_is_a_recording_error(path):
    calls = CallStore(path)
    calls._database.execute("DROP TABLE calls")
    with pytest.raises(RecordingError, match=r"calls\.sqlite cannot be written"):
        calls.put("a", "m", "{}", 0.0)
    calls.close()


def recorded_file(scripted, path):
    llm = scripted(["yes", "yes, " * 3000], recorded="auto", calls_path=path, host="a.test")
    ask(llm)
    ask(llm, messages=[{"role": "user", "content": "another"}])
    background.run(llm._pipeline.close())


def truncate(path):
    path.write_bytes(path.read_bytes()[:6000])


def change_a_row(path, column="response", change="replace(response, 'yes', 'no!')"):
    db = sqlite3.connect(path)
    db.execute(f"UPDATE calls SET {column} = {change}")
    db.commit()
    db.close()


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        lambda path: path.write_bytes(b"garbage" * 2000),
        change_a_row,
        lambda path: change_a_row(path, "seconds", "seconds + 1"),
        lambda path: change_a_row(path, "model", "'another'"),
        lambda path: change_a_row(path, "response", "CAST(response AS BLOB)"),
        lambda path: change_a_row(path, "key", "hex(randomblob(32))"),
    ],
    ids=["truncated", "garbage", "response", "seconds", "model", "blob", "key"],
)
def test_a_damaged_file_is_a_clear_error_of_one_line_and_never_a_wrong_answer(scripted, path, damage, request):
    recorded_file(scripted, path)
    damage(path)
    llm = scripted([], recorded="replay", calls_path=path, host="a.test")
    missing = request.node.callspec.id == "key"  # a call whose name is lost is not found; a look at all finds it
    with pytest.raises(ModelError, match="is not recorded" if missing else "move it away") as caught:
        ask(llm)
    assert str(path) in str(caught.value)
    assert str(caught.value).startswith("this call is not" if missing else "the file of recorded calls")
    assert "\n" not in str(caught.value)
    assert len(scripted.requests) == 2
    if missing:
        calls = CallStore(path)
        with pytest.raises(RecordingError, match="checksum"):
            list(calls.records())
        calls.close()


def damaged_at_random(content, draw):
    """The bytes with some bits flipped, often near the start where SQLite keeps its structure, and some cut short."""
    damaged = bytearray(content)
    if draw.random() < 0.2:
        del damaged[draw.randrange(1, len(damaged)) :]
    for _ in range(draw.choice((1, 1, 4, 64))):
        place = draw.randrange(min(len(damaged), draw.choice((100, 4096, len(damaged)))))
        damaged[place] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def outcomes(path, keys):
    """For each key the answer that the file gives, None where it is missing, or the error."""
    try:
        calls = CallStore(path)
    except RecordingError as error:
        return [error]
    found = []
    for key in keys:
        try:
            found.append(got(calls, key))
        except RecordingError as error:
            found.append(error)
    calls.close()
    return found


def test_bytes_flipped_or_cut_off_anywhere_never_make_a_wrong_answer(path):
    """Right, missing (and so asked again), or one clear error: nothing else."""
    calls = CallStore(path)
    answers = {f"{number:064x}": (f'{{"text": "{"word " * (number * 7 % 900)}"}}', 0.25) for number in range(40)}
    put(calls, *[(key, "m", *answer) for key, answer in answers.items()])
    calls.close()
    intact = path.read_bytes()
    draw = random.Random(4)
    right = 0
    errors = []
    for _ in range(150):
        path.write_bytes(damaged_at_random(intact, draw))
        found = outcomes(path, answers)
        errors += [outcome for outcome in found if isinstance(outcome, Exception)]
        answered = [outcome for outcome in zip(answers, found, strict=False) if isinstance(outcome[1], tuple)]
        assert dict(answered).items() <= answers.items()
        right += len(answered)
        for leftover in path.parent.glob("calls.sqlite-*"):
            leftover.unlink()
    assert min(right, len(errors)) > 50
    assert not any("\n" in str(error) for error in errors)


OLDER = """
CREATE TABLE calls (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, response TEXT NOT NULL, checksum TEXT NOT NULL, seconds REAL NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID
"""


@pytest.fixture
def older(path):
    """A file as the package wrote it at first."""
    db = sqlite3.connect(path)
    db.execute(OLDER)
    db.execute("INSERT INTO calls (key, model, response, checksum, seconds) VALUES ('k', 'm', 'r', ?, 2)", ("0" * 64,))
    db.commit()
    db.close()
    return path


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        ([f"PRAGMA application_id = {0x524C4D43}", "PRAGMA user_version = 99"], "another version"),
        (["PRAGMA application_id = 7"], "another program"),
        (["CREATE TABLE turns (content)"], "another program"),
    ],
)
def test_other_files_are_refused_in_one_line(path, statements, says):
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.close()
    with pytest.raises(RecordingError, match=says) as caught:
        CallStore(path)
    assert "\n" not in str(caught.value)


def test_calls_are_pruned_by_model_and_by_age_and_the_file_shrinks(path):
    calls = CallStore(path)
    put(calls, *[(f"{model} {number}", model, "x" * 9000, 0.5) for model in ("old", "new") for number in range(50)])
    calls.close()
    big = path.stat().st_size
    calls = CallStore(path)
    assert calls.prune(before="2000-01-01") == 0
    assert calls.prune("old") == 50
    assert {call.model for call in calls.records()} == {"new"}
    assert [call.key for call in calls.records("old")] == []
    assert calls.prune(before="2999-01-01") == 50
    assert len(calls) == 0
    assert path.stat().st_size < big / 20
    calls.close()
