"""Message lists of groups and of other programs, and files in unusual forms."""

import json

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import import_file, read_messages

HI = {"role": "user", "content": "Hi"}
AT = "2023-05-20T10:00:00+00:00"


def read(value):
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    problems = []
    store = read_messages(content, "export", problems.append)
    return [(turn.role, turn.name, turn.content) for turn in store.turns], problems, store


GROUPS = {
    "Slack": ([{"type": "message", "user": "Ada", "text": "Hello.", "ts": "1684576800.0001"},
               {"type": "message", "user": "Ben", "text": "Hi.", "ts": "1684576801.0001"}],
              [("user", "Ada", "Hello."), ("user", "Ben", "Hi.")]),
    "Discord": ({"channel": {"name": "general"}, "messages": [
        {"id": "1", "timestamp": AT, "type": "Default", "content": "Hello.", "author": {"id": "7", "name": "Ada"}},
        {"id": "2", "timestamp": AT, "type": "Reply", "content": "Hi.", "author": {"name": "b", "nickname": "Ben"}}]},
        [("user", "Ada", "Hello."), ("user", "Ben", "Hi.")]),
    "a page of OpenAI's threads": ({"object": "list", "data": [{"role": "user", "created_at": 1684576800, "content": [
        {"type": "text", "text": {"value": "Hi", "annotations": []}}]}]}, [("user", "", "Hi")]),
    "Gemini": ([{"role": "user", "parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Yes."}]}],
               [("user", "", "Hi"), ("assistant", "", "Yes.")]),
    "names that are roles": ([{"role": "user", "name": "Ai", "content": "Hi"}], [("user", "Ai", "Hi")]),
}  # fmt: skip


@pytest.mark.parametrize("service", GROUPS)
def test_an_export_is_read_with_its_speakers(service):
    value, expected = GROUPS[service]
    found, problems, _ = read(value)
    assert (found, problems) == (expected, [])


@pytest.mark.parametrize("key", ["messages", "conversation", "chats", "history", "data"])
def test_a_list_of_messages_is_found_under_the_usual_names(key):
    found, problems, store = read({"title": "T", "id": "1", key: [HI, {"role": "assistant", "content": "Yes."}]})
    assert (found, problems) == ([("user", "", "Hi"), ("assistant", "", "Yes.")], [])
    assert store.sessions[0].title == "T"


def test_an_object_without_a_list_of_messages_is_named_with_its_keys():
    found, problems, _ = read([{"title": "Odd", "my list": [HI]}, {"title": "Odd", "messages": {"a": HI}}, HI])
    assert found == [("user", "", "Hi")]
    assert ['"Odd"; its keys: title, m' in problem for problem in problems] == [True, True]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "speaker": "Ada", "text": "Hi"}, {"role": "user", "sender": "Ada", "content": "Hi"},
        {"role": "user", "author": {"name": "Ada"}, "content": "Hi"}, {"sender_name": "Ada", "text": "Hi"},
        {"from": {"name": "Ada"}, "message": "Hi"}, {"username": "Ada", "value": "Hi"},
    ],
    ids=str,
)  # fmt: skip
def test_a_speaker_beside_a_role_is_not_lost(message):
    assert read([message])[0] == [("user", "Ada", "Hi")]


LIST = json.dumps([HI, {"role": "assistant", "content": "Grüße"}], ensure_ascii=False)


@pytest.mark.parametrize(
    "wrapped",
    [
        LIST, LIST.replace("}, {", "}\n{")[1:-1], LIST.replace("}, {", "}{")[1:-1], LIST[:-1] + ",\n]",
        json.dumps(json.loads(LIST)[0], indent=1) + "\n" + json.dumps(json.loads(LIST)[1], indent=1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_values_in_any_wrapping_and_encoding(wrapped, encoding):
    found, problems, _ = read(wrapped.encode(encoding))
    assert (found, problems) == ([("user", "", "Hi"), ("assistant", "", "Grüße")], [])


@pytest.mark.parametrize(
    ("session", "own"), [("session_id", "conversation_id"), ("session", "id"), ("session", "uuid")]
)
def test_conversations_of_one_session_are_kept_apart(session, own):
    said = [[HI | {"id": "1"}, {"id": "2", "role": "user", "content": last}] for last in ("Oslo", "Rome")]
    turns, problems, _ = read([{session: "anna", own: f"c{n}", "messages": each} for n, each in enumerate(said)])
    assert [content for *_, content in turns] == ["Hi", "Oslo", "Hi", "Rome"]
    assert problems == []


def test_a_store_of_one_byte_is_not_overwritten(tmp_path, capsys):
    from rlm_memory_core.cli.main import main

    export, store = tmp_path / "export.json", tmp_path / "history.db"
    export.write_text(json.dumps([HI]))
    for content in (b"x", b"\0", b"xy", b"SQLite", b"x" * 600):
        store.write_bytes(content)
        assert main(["import", str(export), "--store", str(store)]) != 0
        assert store.read_bytes() == content
        (line,) = capsys.readouterr().err.splitlines()
        assert str(store) in line
    store.write_bytes(b"")
    with MemoryStore(store) as empty:
        assert import_file(empty, export).messages == 1
