import hashlib
import json
import os
import sqlite3

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import HistoryFileError, open_history, read_messages

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
    assert [(session.date, len(session.turns)) for session in store.sessions] == [(days[0], 3), (days[2], 2)]
    assert store.turns[1].timestamp == days[0]


@pytest.mark.parametrize(
    "when",
    [1684576800, 1684576800.5, 1684576800000, 1684576800 * 10**6, 1684576800 * 10**9, "1684576800", "1684576800.5"],
)
def test_seconds_and_milliseconds_since_1970(when):
    assert read([message("a", timestamp=when)]).sessions[0].date == "2023-05-20 10:00"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}, "one\ntwo"),
        ({"content": ["one", {"type": "input_text", "text": "two"}]}, "one\ntwo"),
        ({"content": [{"type": "image_url", "image_url": {"url": "x"}}, {"text": "see"}]}, "[image_url]\nsee"),
        ({"content": [3]}, "[int]"),
        ({"content": []}, ""),
        ({"content": ""}, ""),
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


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"[\xff]", r"not UTF-8 text \(byte 2\); save it as UTF-8"),
        (b"\xff\xfe{}", "UTF-16 text; save it as UTF-8"),
        (b"{oops\n" + lines(HI, HI, HI), "line 1 is not JSON"),
        (json.dumps([HI, {"text": "x", "by": "me"}]).encode(), r"entry 2 has no role \(its keys: text, by\)"),
        (json.dumps({"messages": "x"}).encode(), r"it has no list of messages \(its keys: messages\)"),
        (lines(HI, {"role": "user"}), r"line 2 has no content \(its keys: role\)"),
        (b"hello", r"line 1 is not JSON \(Expecting value\)"),
        (b'[{"role": "user",\n"content": }]', "line 2 is not JSON"),
        (lines(HI) + b"\n{oops", "line 2 is not JSON"),
        (lines(HI, "text"), 'line 2 is not a message but "text"'),
        (b"[]", "it has no message"),
        (b"{}", "its one message has no role"),
        (b"3", "it is not a message but 3"),
        (b"[" * 100_000, "nested too deeply"),
        (lines(HI, {"role": "user"}), "line 2 has no content"),
        (json.dumps([HI, {"content": "x"}]).encode(), "entry 2 has no role"),
        (json.dumps([{"role": 1, "content": "x"}]).encode(), "entry 1 has no role"),
        (json.dumps([{"role": "user", "content": {"text": "x"}}]).encode(), "entry 1 has no content"),
        (json.dumps({"messages": "x"}).encode(), "it has no list of messages"),
        (json.dumps({"sessions": [[HI], 5]}).encode(), "session 2 has no list of messages"),
        (json.dumps({"sessions": [[HI, 5]]}).encode(), "session 1, message 2 is not a message but 5"),
        (json.dumps([message("x", date=["2023"])]).encode(), r'entry 1 has \["2023"\] as its date'),
        (json.dumps([message("x", timestamp=1e300)]).encode(), r"entry 1 has 1e\+300 as its timestamp, which is not"),
        (json.dumps([message("x", timestamp=10**400)]).encode(), r"entry 1 has 10{59} as its timestamp, which is not"),
        (b'[{"role": "user", "content": "x", "date": NaN}]', "entry 1 has nan as its date"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_history_is_said_in_one_line(content, line):
    with pytest.raises(HistoryFileError, match=line) as raised:
        read(content)
    assert str(raised.value).startswith("h.json cannot be read as a history: ")
    assert str(raised.value).endswith("a history is a store, or OpenAI messages (role, content) as JSON or JSON Lines")
    assert "\n" not in str(raised.value)


def test_the_line_of_the_error_is_right_also_where_the_first_is_broken_or_the_whole_is_one_value():
    pretty = json.dumps([HI, HI], indent=1).replace("user", 'us"er', 1).encode()
    with pytest.raises(HistoryFileError, match="line 3 is not JSON"):
        read(pretty)
    with pytest.raises(HistoryFileError, match="line 1 is not JSON"):
        read(b'{"role": "user", "content": "Hi"\n' + lines(HI, HI))
    assert len(read(json.dumps([HI, HI], indent=1).encode())) == 2


@pytest.mark.parametrize(
    ("dates", "more"), [(["le 11 juin"], ""), (["soon", "le 11 juin", "x"], ", and so have 2 more places")]
)
def test_dates_that_cannot_be_read_are_said_once_and_kept(dates, more):
    told = []
    messages = [HI, *(message("a", date=date) for date in dates), message("b", date="2023-05-20")]
    store = read_messages(json.dumps(messages).encode(), "h.json", told.append)
    assert told == [f"h.json: entry 2 has a date that cannot be read ({dates[0]!r}){more}; write 2023-05-30"]
    assert [turn.timestamp for turn in store.turns][1:-1] == dates


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
    with pytest.raises(HistoryFileError, match="newer rlm-memory") as raised, open_history(history):
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
