import json

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.cli import main as cli


@pytest.fixture
def show(capsys):
    return lambda *arguments: (cli.main(("show", *map(str, arguments))), *capsys.readouterr())


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "history.db"
    with MemoryStore(path) as store:
        store.start_session("2023/05/20 (Sat) 02:21")
        store.extend([("user", "My cat is called Mochi."), ("assistant", "A fine name.\n" * 30)])
        store.start_session()
        store.add("user", "The CAT sleeps.")
    return path


def test_sessions_are_listed_with_date_size_and_opening(show, store):
    code, out, err = show(store)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "2 sessions, 3 turns",
        "session 1, 2023/05/20 (Sat) 02:21, 2 turns: [Turn 1][user]: My cat is called Mochi. "
        "[Turn 2][assistant]: A fine name. A fin…",
        "session 2, no date, 1 turn: [Turn 3][user]: The CAT sleeps.",
    ]


def test_one_session_is_printed(show, store):
    out = show(store, "--session", 1)[1]
    assert out.startswith("[--- Session 1 | 2023/05/20 (Sat) 02:21 ---]\n[Turn 1][user]: My cat is called Mochi.\n")


def test_a_search_prints_the_turns_and_where_they_are(show, store):
    code, out, _ = show(store, "--search", "cat")
    assert code == 0
    assert out.splitlines() == [
        "session 1, 2023/05/20 (Sat) 02:21",
        "[Turn 1][user]: My cat is called Mochi.",
        "session 2, no date",
        "[Turn 3][user]: The CAT sleeps.",
    ]
    assert show(store, "--search", "parrot") == (1, "", "rlm-memory: no turn contains 'parrot'\n")


def test_an_export_is_shown_without_what_a_terminal_would_obey(show, tmp_path):
    path = tmp_path / "h.json"
    path.write_text(json.dumps([{"role": "user", "content": "My cat is \x1b[31mred\x07."}]))
    for arguments in ((), ("--session", 1), ("--search", "cat")):
        out = show(path, *arguments)[1]
        assert "My cat is" in out
        assert not {"\x1b", "\x07"} & set(out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.db",), "there is no file none.db"),
        (("{store}", "--session", "3"), "--session must be at most 2, not 3"),
    ],
)
def test_a_mistake_is_one_line(show, refused, store, arguments, said):
    assert said in refused(show(*(argument.format(store=store) for argument in arguments)))
