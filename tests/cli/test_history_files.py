import json

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.cli.main import main

HI = {"role": "user", "content": "My cat is called Mochi.", "timestamp": "2023-05-21T03:00:00Z"}


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "conversations.json"
    odd = {"title": "Odd\x1b[31m", "messages": [{"content": "?"}]}
    path.write_text(json.dumps([{"id": "a", "title": "Cats", "messages": [HI]}, odd]))
    return path


def test_import_says_what_it_did_and_can_be_run_again(tmp_path, export, capsys):
    store = tmp_path / "history.db"
    assert main(["import", str(export), "--store", str(store), "--tz", "America/Los_Angeles"]) == 0
    said = capsys.readouterr()
    assert "new messages: 1" in said.out
    assert f"{store}: 1 turn in 1 session" in said.out
    assert 'entry 2 ("Odd' in said.err
    assert "has no role" in said.err
    assert "\x1b" not in said.err + said.out
    assert main(["import", str(export), "--store", str(store)]) == 0
    assert "new messages: 0; already stored: 1" in capsys.readouterr().out
    with MemoryStore(store) as history:
        assert history.sessions[0].marker == "[--- Session 1 | 2023/05/20 (Sat) 20:00 | Cats ---]"


def test_import_leaves_an_index_that_questions_need_not_build(tmp_path, export, monkeypatch):
    store = tmp_path / "history.db"
    assert main(["import", str(export), "--store", str(store)]) == 0
    monkeypatch.setattr("rlm_memory_core.search.word_index._index_block", None)  # nothing is left to index
    assert main(["ask", str(store), "What is my cat called?"]) == 0


def test_a_file_that_is_not_there_leaves_no_empty_store(tmp_path):
    assert main(["import", str(tmp_path / "none.json"), "--store", str(tmp_path / "h.db")]) == 2
    assert not (tmp_path / "h.db").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["none.json", "--store", "h.db"], "there is no file none.json"),
        (["empty.json", "none.json", "--store", "h.db"], "there is no file none.json"),
        ([".", "--store", "h.db"], "there is no file .; give a file on this machine, not a folder"),
        (["https://example.org/chats.json", "--store", "h.db"], "not a folder or a web address"),
        (["empty.json", "--store", "h.db"], "empty.json cannot be read as a history: it has no message"),
        (["empty.json", "--store", "no/such/h.db"], "cannot open no/such/h.db as a history"),
    ],
    ids=str,
)
def test_what_cannot_be_imported_is_said_in_one_line(tmp_path, monkeypatch, capsys, arguments, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.json").write_text("")
    assert main(["import", *arguments]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


def test_check_copies_out_what_can_be_read(tmp_path, capsys):
    path = tmp_path / "history.db"
    with MemoryStore(path) as store:
        store.extend(("user", f"turn {number} " + "word " * 100) for number in range(200))
    assert main(["check", str(path)]) == 0
    assert "is sound: 200 turns" in capsys.readouterr().out
    content = bytearray(path.read_bytes())
    content[-3 * 4096 :] = b"\xff" * 3 * 4096
    path.write_bytes(content)
    assert main(["ask", str(path), "Who?"]) == 2
    said = capsys.readouterr().err
    assert f"{path} is damaged" in said
    assert f"copy out what can be read: rlm-memory check {path}\n" in said
    assert main(["check", str(path)]) == 1
    assert f"turns were copied to {path}.recovered" in capsys.readouterr().out
    assert main(["ask", f"{path}.recovered", "Which turn?"]) == 0
    assert main(["check", str(tmp_path / "none.db")]) == 2


def test_check_of_what_is_no_store_is_one_line(tmp_path, capsys):
    note = tmp_path / "note.jsonl"
    note.write_text('{"role": "user", "content": "Hello."}')
    assert main(["check", str(note)]) == 2
    assert f"{note} is not a store, or it is damaged" in capsys.readouterr().err
    assert main(["check", str(tmp_path)]) == 2
    assert "not a folder" in capsys.readouterr().err
