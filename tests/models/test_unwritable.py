"""Recorded calls where nothing can be written."""

import errno
import warnings
from pathlib import Path

import pytest
from asking import ask

from rlm_memory_core import MemoryChat, connect
from rlm_memory_core.models import recorded_calls
from rlm_memory_core.models.call_store import CallStore, RecordingError


@pytest.fixture(autouse=True)
def _afresh():
    recorded_calls.warn_once.cache_clear()


def test_a_read_only_disk_costs_one_warning_and_no_answer(scripted, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.warns(RuntimeWarning, match="Read-only file system.*answers are not recorded"):
        assert ask(scripted(["yes"], recorded="auto")).text == "yes"
    assert ask(scripted(["yes"], recorded="auto")).text == "yes"  # a second warning would be an error
    with pytest.raises(RecordingError, match="Read-only"):
        scripted(["yes"], recorded="replay").open()


@pytest.mark.parametrize("cache", ["/proc/none", "/dev/null/none"])
def test_a_folder_that_cannot_be_made(scripted, monkeypatch, cache):
    monkeypatch.setenv("RLM_MEMORY_CACHE", cache)
    with pytest.warns(RuntimeWarning, match="answers are not recorded"):
        assert ask(scripted(["yes"], recorded="auto")).text == "yes"


def test_no_home(scripted, monkeypatch, tmp_path):
    monkeypatch.delenv("RLM_MEMORY_CACHE")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rlm_memory_core.models.call_store.user_cache_path", lambda name: Path("~/.cache", name))
    with pytest.warns(RuntimeWarning, match="home"):
        assert ask(scripted(["yes"], recorded="auto")).text == "yes"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_in_mid_run(scripted, tmp_path):
    llm = scripted(lambda messages: "yes " * 5_000, recorded="auto", calls_path=tmp_path / "calls.sqlite")
    llm.open()
    writer = llm._pipeline.calls.store._database
    writer.execute("PRAGMA max_page_count = 2")
    with pytest.warns(RuntimeWarning, match="full"):
        assert ask(llm).text.startswith("yes")
    assert not ask(llm).recorded


@pytest.mark.parametrize("failing", ["lockf", "open"])
def test_a_disk_without_locks_costs_one_warning_and_no_answer(scripted, monkeypatch, tmp_path, failing):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    llm = scripted(lambda messages: "yes", recorded="auto", calls_path=tmp_path / "calls.sqlite")
    llm.open()
    monkeypatch.setattr(recorded_calls.fcntl if failing == "lockf" else recorded_calls.os, failing, refuse)
    with pytest.warns(RuntimeWarning, match=r"calls\.sqlite\.lock cannot be locked .*No locks available"):
        assert ask(llm).text == "yes"
    assert (
        ask(llm, messages=[{"role": "user", "content": "another"}]).text == "yes"
    )  # a second warning would be an error
    assert ask(llm).recorded
    llm.close()


def test_a_damaged_file_is_still_an_error(scripted, tmp_path):
    path = tmp_path / "calls.sqlite"
    path.write_bytes(b"something else " * 100)
    with pytest.raises(RecordingError, match="move it away"):
        scripted(["yes"], recorded="auto", calls_path=path).open()


def test_the_offline_reader_records_nothing(tmp_path):
    with warnings.catch_warnings():
        chat = MemoryChat(connect("offline"))
        chat.send("My cat is called Mochi.")
    assert not (tmp_path / "cache").exists()


def test_only_the_user_may_read_the_file(tmp_path):
    CallStore(tmp_path / "new" / "calls.sqlite").close()
    assert (tmp_path / "new" / "calls.sqlite").stat().st_mode & 0o777 == 0o600
