import io
import json
import sqlite3

import pytest

from rlm_memory_core.cli import main as cli
from rlm_memory_core.models.call_store import CallStore


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return lambda *arguments: (cli.main(("calls", *arguments)), *capsys.readouterr())


@pytest.fixture
def path(tmp_path):
    """Two models' calls where the command line looks for them."""

    path = tmp_path / "cache" / "calls.sqlite"
    calls = CallStore(path)
    for model, count in (("gpt-4o-mini", 3), ("llama3.2", 2)):
        for number in range(count):
            usage = {"prompt_tokens": 1000 + number, "completion_tokens": 10}
            body = json.dumps({"choices": [{"message": {"content": "läuft"}}], "usage": usage}, ensure_ascii=False)
            calls.put(f"{model} {number}", model, body, 1.5)
    calls._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    calls.close()
    return path


def test_list_counts_calls_tokens_and_bytes_by_model(run, path):
    code, printed, _ = run("list")
    assert code == 0
    where, _, first, second = printed.splitlines()
    assert where == f"recorded calls in {path}: 5"
    assert first.split()[:4] == ["gpt-4o-mini", "3", "3,003", "30"]
    assert second.split()[:4] == ["llama3.2", "2", "2,001", "20"]
    assert "MB" in first
    assert [line.split() for line in run("list", "--model", "llama3.2")[1].splitlines()[2:]] == [second.split()]
    assert f"{path}: 0\n" in run("list", "--model", "another")[1]


def test_export_prints_json_lines(run, refused, path):
    code, printed, _ = run("export", "--model", "llama3.2")
    assert code == 0
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [row["key"] for row in rows] == ["llama3.2 0", "llama3.2 1"]
    assert rows[0].keys() == {"key", "model", "response", "seconds", "created"}
    assert rows[0]["response"]["choices"][0]["message"]["content"] == "läuft"
    assert len(run("export")[1].splitlines()) == 5
    damage(path)
    assert "is damaged" in refused(run("export"))


def test_prune_asks_first_and_deletes_what_was_named(run, refused, path, monkeypatch):
    assert "there is no input to confirm with" in refused(run("prune", "--model", "llama3.2"))
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert "stopped before anything was deleted" in refused(run("prune", "--all"))
    assert "5 of" not in run("prune", "--older-than", "1")[1]  # none is that old, and nobody is asked
    code, printed, _ = run("prune", "--model", "llama3.2", "--yes")
    assert code == 0
    assert "2 of 5 calls" in printed
    assert "2 calls deleted" in printed
    assert "llama3.2" not in run("list")[1]
    assert "3 calls deleted" in run("prune", "--all", "--yes")[1]
    assert f"{path}: 0\n" in run("list")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prune"], "say what to prune"),
        (["prune", "--all", "--model", "m"], "say what to prune"),
        (["list", "--file", "/nowhere/calls.sqlite"], "there are no recorded calls in /nowhere/calls.sqlite"),
    ],
)
def test_a_mistake_is_one_line(run, refused, path, arguments, said):
    assert said in refused(run(*arguments))


def test_no_file_is_said_and_none_is_made(run, refused, tmp_path):
    assert "there are no recorded calls" in refused(run("list"))
    assert not (tmp_path / "cache" / "calls.sqlite").exists()


def damage(path):
    db = sqlite3.connect(path)
    db.execute("UPDATE calls SET seconds = 9 WHERE key = 'llama3.2 1'")
    db.commit()
    db.close()


@pytest.mark.parametrize("action", ["list", "export"])
def test_a_damaged_call_is_one_line(run, refused, path, action):
    damage(path)
    assert "is damaged" in refused(run(action))


def test_a_file_that_is_no_database_is_one_line(run, refused, path):
    path.write_bytes(b"garbage" * 1000)
    for arguments in (["list"], ["export"], ["prune", "--all", "--yes"]):
        assert str(path) in refused(run(*arguments))


@pytest.mark.parametrize("response", ["no JSON", "[1]", '{"usage": 5}', "[" * 5000])
@pytest.mark.parametrize("command", ["list", "export"])
def test_a_recorded_answer_of_any_form_is_listed(tmp_path, capsys, response, command):
    store = CallStore(tmp_path / "calls.sqlite")
    store.put("k", "m", response, 1.0)
    store.close()
    assert cli.main(["calls", command, "--file", str(tmp_path / "calls.sqlite")]) == 0
    assert "m" in capsys.readouterr().out
