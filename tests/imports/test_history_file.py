import hashlib
import json
import os
import sqlite3

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import HistoryFileError, open_history, read_messages
from rlm_memory_core.store.times import parse_time

HI = {"role": "user", "content": "Hi"}


def read(value):
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_messages(content, "h.json")


def said(store):
    """By session: its date, and who said what."""
    return [(session.date, [(turn.role, turn.content) for turn in session.turns]) for session in store.sessions]


def message(content, **more):
    return {"role": "user", "content": content, **more}


def lines(*values):
    return "\n".join(map(json.dumps, values)).encode()


TWO = [(None, [("user", "a"), ("user", "b")])]
APART = [(None, [("user", "a")]), (None, [("user", "b")])]


@pytest.mark.parametrize(
    ("value", "sessions"),
    [
        ([message("a"), message("b")], TWO),
        ({"messages": [message("a"), message("b")]}, TWO),
        ({"model": "m", "messages": [message("a"), message("b")]}, TWO),
        (lines(message("a"), message("b")), TWO),
        (lines(message("a"), message("b")) + b"\n\n", TWO),
        (b"\xef\xbb\xbf" + lines(message("a"), message("b")).replace(b"\n", b"\r\n"), TWO),
        (message("a"), [(None, [("user", "a")])]),
        ([[message("a")], [message("b")]], APART),
        ([{"messages": [message("a")]}, {"messages": [message("b")]}], APART),
        (lines({"messages": [message("a")]}, {"messages": [message("b")]}), APART),
        ({"sessions": [[message("a")], {"messages": [message("b")]}]}, APART),
        ([message("a", session="x"), message("b", session="y")], APART),
        ([message("a", session=1), message("b", session=1)], TWO),
        ([{"messages": []}, {"messages": [message("a"), message("b")]}], TWO),
    ],
    ids=str,
)
def test_every_shape_of_messages(value, sessions):
    assert said(read(value)) == sessions


def test_sessions_take_their_dates_where_the_file_has_them():
    store = read(
        {"sessions": [{"date": "2023/05/20 (Sat) 02:21", "messages": [HI]}, {"date": "May", "messages": [HI]}]}
    )
    assert [session.date for session in store.sessions] == ["2023/05/20 (Sat) 02:21", "May"]


@pytest.mark.parametrize("key", ["date", "timestamp", "created_at", "create_time"])
def test_another_day_is_another_session(key):
    days = ["2023-05-20T10:00:00Z", "2023-05-20T23:00:00Z", "2023-05-21T10:00:00Z"]
    store = read([message("no date"), *(message(day, **{key: day}) for day in days), message("none either")])
    assert [(session.date and session.date[5:10], len(session.turns)) for session in store.sessions] == [
        (None, 1), ("05/20", 1), ("05/20", 1), ("05/21", 2),
    ]  # fmt: skip
    assert store.turns[1].timestamp == days[0]


@pytest.mark.parametrize(
    "when",
    [1684576800, 1684576800.5, 1684576800000, 1684576800 * 10**6, 1684576800 * 10**9, "1684576800", "1684576800.5"],
)
def test_seconds_and_milliseconds_since_1970(when):
    turn = read([message("a", timestamp=when)]).turns[0]
    assert turn.timestamp.startswith("2023-05-20T10:00:00")
    assert parse_time(turn.timestamp).utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}, "one\ntwo"),
        ({"content": ["one", {"type": "input_text", "text": "two"}]}, "one\ntwo"),
        ({"content": [{"type": "image_url", "image_url": {"url": "x"}}, {"text": "see"}]}, "[image_url]\nsee"),
        ({"content": [3]}, "[int]"),
        ({"content": None, "refusal": "I will not."}, "I will not."),
        (
            {"content": None, "tool_calls": [{"function": {"name": "find", "arguments": '{"a": 1}'}}]},
            '[tool call: find({"a": 1})]',
        ),
        ({"content": "Wait.", "tool_calls": [{"function": {"name": "f"}}]}, "Wait.\n[tool call: f()]"),
    ],
    ids=str,
)
def test_contents_become_text(changes, text):
    assert read([{"role": "assistant", **changes}]).turns[0].content == text


NOTHING = [
    (b"", "it has no message"),
    (b" \n", "it has no message"),
    (b"[\xff]", "entry 1 is not JSON"),
    (b"\xff\xfe{}", "is not JSON"),
    (b"hello", r"line 1 is not JSON \(Expecting value\)"),
    (b'[{"role": "user",\n"content": }]', "entry 1 is not JSON"),
    (b"[]", "it has no message"),
    (b"{}", "line 1 has no role"),
    (b"3", "line 1 is not a message but 3"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"a":' * 100_000, "nested too deeply"),
    (json.dumps([{"role": 1, "content": "x"}]).encode(), "entry 1 has no role"),
    (json.dumps({"messages": "x"}).encode(), r"line 1 has no role or list of messages \(its keys: messages\)"),
    (json.dumps([{"role": "user", "content": ""}]).encode(), "it has no message"),
]


@pytest.mark.parametrize(("content", "line"), NOTHING, ids=lambda value: str(value)[:40])
def test_what_is_no_history_is_said_in_one_line(content, line):
    with pytest.raises(HistoryFileError, match=line) as raised:
        read(content)
    assert str(raised.value).startswith("h.json cannot be read as a history: ")
    assert str(raised.value).endswith("or an export of ChatGPT or Claude")
    assert "\n" not in str(raised.value)


ODD = [
    (b"{oops\n" + lines(HI, HI, HI), 3, "line 1 is not JSON"),
    (b'{"role": "user", "content": "Hi"\n' + lines(HI, HI), 2, "line 1 is not JSON"),
    (
        json.dumps([HI, {"text": "x", "by": "me"}]).encode(),
        1,
        "entry 2 has no role or list of messages (its keys: text",
    ),
    (lines(HI, {"role": "user"}), 1, "line 2 has no content (its keys: role)"),
    (lines(HI) + b"\n{oops", 1, "line 2 is not JSON"),
    (lines(HI, "text"), 1, 'line 2 is not a message but "text"'.replace('"', "'")),
    (lines(HI) + b"\n" + b"[" * 100_000, 1, "line 2 is not JSON (nested too deeply"),
    (json.dumps({"sessions": [[HI], 5]}).encode(), 1, "line 1, entry 2 is not a message but 5"),
    (json.dumps({"sessions": [[HI, 5]]}).encode(), 1, "line 1, entry 1, message 2 is not a message but 5"),
    (json.dumps([HI, message("x", date=["2023"])]).encode(), 2, "entry 2 has a date that cannot be read"),
    (json.dumps([message("x", timestamp=1e300)]).encode(), 1, "entry 1 has a date that cannot be read (1e+300)"),
    (json.dumps([message("x", timestamp=10**400)]).encode(), 1, "entry 1 has a date that cannot be read (1000"),
    (b'[{"role": "user", "content": "x", "date": NaN}]', 1, "entry 1 has a date that cannot be read (nan)"),
    (b'[{"role": "user", "content": "x"}, {"role": ', 1, "entry 2 is not JSON"),
    (b'[{"role": "user", "content": "x"}', 1, "entry 2 is not JSON (Expecting value); what follows it is not read"),
    (b'[{"role": "user", "content": "caf\xe9"}]', 1, "entry 1 has bytes that are not UTF-8 text"),
]


@pytest.mark.parametrize(("content", "turns", "line"), ODD, ids=lambda value: str(value)[:40])
def test_one_odd_thing_is_named_and_the_rest_is_read(content, turns, line):
    told = []
    assert len(read_messages(content, "h.json", told.append)) == turns
    assert [line in each for each in told] == [True], told
    assert all(each.startswith("h.json: ") and "\n" not in each for each in told)


def test_many_odd_things_are_counted():
    told = []
    read_messages(lines(HI, *[{"role": "user"}] * 2000), "h.json", told.append)
    assert told[2:] == ["h.json: line 4 has no content (its keys: role)", "h.json: 1,997 more could not be read"]


def test_invalid_unicode_is_cleaned():
    store = read(b'[{"role": "user", "content": "caf\xe9 \\ud800 \\u0000", "name": "\\udfff"}]')
    assert store.turns[0].content == "caf\ufffd \ufffd \0"
    assert store.turns[0].name == "\ufffd"


def fingerprint(folder):
    """The bytes of every file in a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history" / "history.db"
    path.parent.mkdir()
    with MemoryStore(path) as store:
        store.start_session("2023/05/20")
        store.add("user", "My cat is called Mochi.")
    return path


def test_a_store_is_read_as_it_is_and_not_touched(history):
    before = fingerprint(history.parent)
    with open_history(history) as store:
        assert said(store) == [("2023/05/20", [("user", "My cat is called Mochi.")])]
        store.add("user", "only in the copy")
        copy = store.path
    assert fingerprint(history.parent) == before
    assert not copy.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_may_not_be_written_is_read(history):
    history.chmod(0o400)
    history.parent.chmod(0o500)
    try:
        with open_history(history) as store:
            assert len(store) == 1
    finally:
        history.parent.chmod(0o700)


def test_a_store_that_another_has_open_is_read_with_its_last_turn(history):
    with MemoryStore(history) as other:
        other.add("user", "Just now.")
        before = fingerprint(history.parent)
        assert "history.db-wal" in before
        with open_history(history) as store:
            assert [turn.content for turn in store.turns] == ["My cat is called Mochi.", "Just now."]
        assert {**fingerprint(history.parent), "history.db-shm": ""} == {**before, "history.db-shm": ""}
        other.add("user", "And later.")


def test_a_text_file_is_read(tmp_path):
    path = tmp_path / "h.json"
    path.write_text(json.dumps([HI]))
    with open_history(path) as store:
        assert len(store) == 1


def test_another_programs_database_is_refused(tmp_path):
    path = tmp_path / "other.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE t (x)")
    database.close()
    with pytest.raises(HistoryFileError, match=r"other\.db is a database of another program"), open_history(path):
        pass


def test_a_newer_store_and_a_damaged_one_are_refused_by_their_own_names(history):
    content = history.read_bytes()
    history.write_bytes(content[:60] + (99).to_bytes(4, "big") + content[64:])
    with pytest.raises(HistoryFileError, match="another version of rlm-memory") as raised, open_history(history):
        pass
    assert str(history) in str(raised.value)
    history.write_bytes(content[:100] + b"\0" * 2000)
    with pytest.raises(HistoryFileError) as raised, open_history(history):
        pass
    assert str(history) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError), open_history(tmp_path / "none.json"):
        pass
