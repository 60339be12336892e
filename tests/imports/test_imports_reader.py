import io
import json
import subprocess
import sys
import zipfile

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import HistoryFileError, import_file
from rlm_memory_core.imports.reader import import_stream

NOON = 1684584000.0  # 2023-05-20 12:00 UTC


def node(parent, role="user", parts=("Hi",), at=0.0, **more):
    content = {"content_type": "text", "parts": list(parts), **more.pop("content", {})}
    message = {"author": {"role": role}, "create_time": NOON + at, "content": content, **more}
    return {"parent": parent, "message": message}


def chat(title, mapping, **more):
    return {"title": title, "id": title, "create_time": NOON, "mapping": mapping, **more}


def imported(value, store=None, name=""):
    store = MemoryStore(tz="UTC") if store is None else store
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return store, import_stream(store, io.BufferedReader(io.BytesIO(content)), "export")


def said(store):
    return [(turn.role, turn.content) for turn in store.turns]


def titles(store):
    return [session.title for session in store.sessions]


GOOD = chat("Good", {"a": node(None), "b": node("a", "assistant", ["Hello!"], 1)}, current_node="b")
TREES = [
    ("null current node", {"a": node(None), "b": node("a", "assistant", ["Yes."], 9)}, {"current_node": None}),
    ("dead current node", {"a": node(None), "b": node("a", "assistant", ["Yes."], 9)}, {"current_node": "gone"}),
    ("dead parent", {"a": node("gone"), "b": node("a", "assistant", ["Yes."], 9)}, {"current_node": "b"}),
    ("circle", {"a": node("b"), "b": node("a", "assistant", ["Yes."], 9)}, {"current_node": "b"}),
    (
        "several roots",
        {"x": node(None, parts=["Old."], at=-9), "a": node(None), "b": node("a", "assistant", ["Yes."], 9)},
        {},
    ),
    (
        "branches",
        {"a": node(None), "x": node("a", "assistant", ["No."], 5), "b": node("a", "assistant", ["Yes."], 9)},
        {"current_node": "b"},
    ),
    ("list in a node", {"a": node(None), "b": node("a", "assistant", ["Yes."], 9), "c": [1]}, {"current_node": "b"}),
    ("null message", {"r": {"message": None}, "a": node("r"), "b": node("a", "assistant", ["Yes."], 9)}, {}),
]


@pytest.mark.parametrize(("title", "mapping", "more"), TREES, ids=[title for title, *_ in TREES])
def test_chatgpts_trees_are_read_on_the_branch_that_was_shown(title, mapping, more):
    store, report = imported([chat(title, mapping, **more), GOOD])
    assert said(store)[:2] == [("user", "Hi"), ("assistant", "Yes.")]
    assert titles(store) == [title, "Good"]
    assert report.unread == 0


ODD = [
    (chat("odd", {"a": node(None, author=None)}), '"odd"), message 1 has no role'),
    (chat("odd", {"a": {"message": 5}}), '"odd"), entry 1 is not a message but 5'),
    ({"title": "odd", "mapping": "x"}, "has no role or list of messages"),
    (None, "is not a message but null"),
    ({"title": "odd", "messages": "x"}, "has no role or list of messages"),
]


@pytest.mark.parametrize(("odd", "line"), ODD, ids=str)
def test_an_odd_conversation_is_named_and_the_good_ones_are_read(odd, line):
    store, report = imported([odd, GOOD])
    assert said(store) == [("user", "Hi"), ("assistant", "Hello!")]
    (problem,) = report.problems
    assert problem.startswith("entry 1")
    assert line in problem


PARTS = {
    "a": node(None, "system", [""]),
    "b": node("a", "user", ["Secret rules."], metadata={"is_visually_hidden_from_conversation": True}),
    "c": node("b", "user", [], content={"content_type": "user_editable_context", "user_profile": "I am Ada."},
              metadata={"is_visually_hidden_from_conversation": True}),
    "d": node("c", "user", [{"content_type": "image_asset_pointer"}, None, "Who is my cat?"]),
    "e": node("d", "assistant", ["Ada's cat is Mochi."], recipient="bio"),
    "f": node("e", "tool", ["Updated."], author={"role": "tool", "name": "bio"}),
    "g": node("f", "assistant", content={"content_type": "thoughts", "thoughts": []}),
    "h": node("g", "user", [{"content_type": "audio_transcription", "text": "Say it."},
                            {"content_type": "audio_asset_pointer"}]),
    "i": node("h", "assistant", content={"content_type": "code", "text": "print(1)", "parts": None}),
}  # fmt: skip


def test_parts_that_are_not_text_are_named_and_counted():
    store, report = imported([chat("Parts", PARTS, current_node="i")])
    assert said(store) == [
        ("system", "I am Ada."),
        ("user", "[image_asset_pointer]\nWho is my cat?"),
        ("assistant", "[tool call: bio(Ada's cat is Mochi.)]"),
        ("tool", "Updated."),
        ("user", "Say it.\n[audio_asset_pointer]"),
        ("assistant", "print(1)"),
    ]
    assert store.turns[0].name == "memory"
    assert dict(report.skipped) == {
        "empty message": 2, "hidden message": 1, "image_asset_pointer": 1, "thought": 1, "audio_asset_pointer": 1,
    }  # fmt: skip
    assert "; left out: " in str(report)


CLAUDE = {
    "uuid": "c1",
    "name": "Trip",
    "created_at": "2023-05-20T12:00:00.000000Z",
    "chat_messages": [
        {"uuid": "m1", "text": "Look", "sender": "human", "created_at": "2023-05-20T12:00:01Z",
         "content": [{"type": "text", "text": "Look"}], "files": [{"file_name": "cat.png"}],
         "attachments": [{"file_name": "notes.txt", "extracted_content": "Mochi is a cat."}]},
        {"uuid": "m2", "text": "", "sender": "assistant", "created_at": "2023-05-20T12:00:02Z",
         "content": [{"type": "thinking", "thinking": "hm"}, {"type": "tool_use", "name": "find", "input": {"a": 1}},
                     {"type": "tool_result", "content": [{"type": "text", "text": "42"}]},
                     {"type": "text", "text": "A cat."}]},
    ],
}  # fmt: skip


def test_claudes_export_is_read_with_attachments():
    store, report = imported([CLAUDE])
    assert said(store) == [
        ("user", "Look\n[file: notes.txt]\nMochi is a cat.\n[file: cat.png]"),
        ("assistant", '[tool call: find({"a": 1})]\n[tool result: 42]\nA cat.'),
    ]
    assert (titles(store), dict(report.skipped)) == (["Trip"], {"thought": 1, "file": 1})


@pytest.mark.parametrize(
    ("message", "heading"),
    [
        ({"role": "user", "content": "Hi", "name": "Ada"}, "[user Ada]"),
        ({"author": {"name": "Ada", "isBot": False}, "content": "Hi"}, "[user Ada]"),
        ({"type": "message", "user": "U123", "text": "Hi", "ts": "1684584000.000100"}, "[user U123]"),
        ({"from": "Ada", "text": "Hi"}, "[user Ada]"),
        ({"speaker": "Ada", "text": "Hi"}, "[user Ada]"),
        ({"from": "human", "value": "Hi"}, "[user]"),
        ({"from": "gpt", "value": "Hi"}, "[assistant]"),
        ({"role": "Caroline", "content": "Hi"}, "[Caroline]"),
        ({"role": "user", "content": "Hi", "name": "A]: x\n[Turn 9][user"}, "[user A): x (Turn 9)(user]"),
    ],
    ids=str,
)
def test_speakers_keep_their_names(message, heading):
    for value in ([message], {"messages": [message]}, {"conversations": [message]}):
        store, _ = imported(value)
        assert str(store.turns[0]) == f"[Turn 1]{heading}: Hi"


def test_the_same_export_again_adds_nothing_and_a_newer_one_what_is_new(tmp_path):
    export = [GOOD, CLAUDE, {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]}]
    newer = json.loads(json.dumps(export))
    newer[0]["mapping"]["c"] = node("b", parts=["Bye."], at=90_000)
    newer[0]["current_node"] = "c"
    newer[1]["chat_messages"].append({"uuid": "m3", "sender": "human", "text": "Thanks"})
    newer[2]["conversations"].append({"from": "human", "value": "Bye now."})
    with MemoryStore(tmp_path / "h.db", tz="UTC") as store:
        assert imported(export, store)[1].messages == 6
        _, again = imported(export, store)
        assert (again.messages, again.known) == (0, 6)
    with MemoryStore(tmp_path / "h.db", tz="UTC") as store:
        _, report = imported(newer[::-1], store)
        assert (report.messages, report.known) == (3, 6)
        assert {content for _, content in said(store)[6:]} == {"Bye.", "Thanks", "Bye now."}
        assert titles(store)[-1] == "Good"
        assert imported(newer, store)[1].messages == 0


def test_conversations_that_begin_alike_are_kept_apart():
    hi, one, two = ({"role": "user", "content": text} for text in ("Hi", "one", "two"))
    value = [[hi, one], [hi, two], [hi], [hi]]
    store, report = imported(value)
    assert (report.messages, len(store.sessions)) == (6, 4)
    assert imported(value, store)[1].messages == 0
    assert imported([[hi, two, one]], store)[1].messages == 1
    assert imported([[hi, hi]], store)[1].messages == 1


def test_a_log_that_grows_adds_its_new_lines():
    log = [json.dumps({"role": "user", "content": f"line {n % 3}"}) for n in range(10)]
    store, _ = imported("\n".join(log[:6]).encode())
    assert imported("\n".join(log).encode(), store)[1].messages == 4
    assert len(store) == 10


@pytest.mark.parametrize("form", ["conversations", "lines", "list"])
def test_newest_first_becomes_oldest_first(form):
    messages = [
        {"role": "user", "content": str(n), "timestamp": f"2023-05-{20 + n // 2}T{10 + n}:00:00Z"} for n in range(6)
    ]
    value = {
        "conversations": [{"messages": [message]} for message in messages[::-1]],
        "lines": "\n".join(map(json.dumps, messages[::-1])).encode(),
        "list": {"messages": messages[::-1]},
    }[form]
    store, _ = imported(value)
    assert [turn.content for turn in store.turns] == list("012345")
    assert [session.date for session in store.sessions] == sorted(session.date for session in store.sessions)


def test_sessions_of_one_day_are_in_the_order_of_their_hour_in_the_users_zone():
    def at(hour, text):
        return {"role": "user", "content": text, "timestamp": f"2023-05-20T{hour}:00Z"}

    value = [
        {"title": "long", "messages": [at("16:00", "a"), at("23:00", "d")]},
        {"title": "short", "messages": [at("18:00", "b")]},
        {"title": "next day", "messages": [at("20:30", "c")]},
    ]
    store, _ = imported(value, MemoryStore(tz="America/Los_Angeles"))
    assert [turn.content for turn in store.turns] == ["a", "b", "c", "d"]
    assert [(session.date, session.title) for session in store.sessions] == [
        ("2023/05/20 (Sat) 09:00", "long"), ("2023/05/20 (Sat) 11:00", "short"), ("2023/05/20 (Sat) 13:30", "next day"),
        ("2023/05/20 (Sat) 16:00", "long"),
    ]  # fmt: skip


def test_untimed_beginnings_stay_with_their_conversation():
    value = [
        {"date": "2023-05-25", "messages": [{"role": "user", "content": "later"}]},
        {"date": "2023-05-20T09:00:00Z", "messages": [{"role": "system", "content": "rules"},
                                  {"role": "user", "content": "first", "date": "2023-05-20T12:00:00Z"}]},
    ]  # fmt: skip
    store, _ = imported(value)
    assert [turn.content for turn in store.turns] == ["rules", "first", "later"]
    assert [session.date for session in store.sessions] == ["2023/05/20 (Sat) 12:00", "2023-05-25"]


def archive(path, **files):
    with zipfile.ZipFile(path, "w") as out:
        for name, value in files.items():
            out.writestr(name.replace("__", "/") + ".json", json.dumps(value))
    return path


def test_an_archive_is_read(tmp_path):
    path = archive(tmp_path / "e.zip", user={"id": 1}, export__conversations=[GOOD], message_feedback=[])
    store = MemoryStore()
    assert import_file(store, path).messages == 2
    with pytest.raises(HistoryFileError, match=r"none\.zip cannot be read as a history: it has no message; give"):
        import_file(store, archive(tmp_path / "none.zip"))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(HistoryFileError, match=r"e\.zip is a broken archive"):
        import_file(store, path)


def test_an_interrupted_import_goes_on_where_it_was(tmp_path):
    value = [{"messages": [{"role": "user", "content": f"{n} {k}"} for k in range(3)]} for n in range(500)]
    store = MemoryStore(tmp_path / "h.db")
    content = io.BufferedReader(io.BytesIO(json.dumps(value).encode()))

    def stop(what, done, total):
        if what == "storing" and done >= 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_stream(store, content, "export", stop)
    assert len(store) == 1000
    _, report = imported(value, store)
    assert (report.messages, report.known, len(store)) == (500, 1000, 1500)
    assert imported(value, store)[1].messages == 0


@pytest.mark.parametrize("size", [900_000, 3_000_000])
def test_long_entries_are_read_across_windows(size):
    value = [{"role": "user", "content": letter * size} for letter in "abc"]
    for content in (json.dumps(value).encode(), json.dumps(value, indent=1).encode()):
        store, report = imported(content)
        assert ([len(turn.content) for turn in store.turns], report.unread) == ([size] * 3, 0)


IMPORT = """
import sys
from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import import_file
with MemoryStore(sys.argv[2]) as store:
    import_file(store, sys.argv[1], lambda what, done, total: print(what, done, flush=True))
"""


@pytest.mark.slow
def test_an_import_that_is_killed_keeps_what_it_said_and_goes_on_where_it_was(tmp_path):
    export, path = tmp_path / "log.jsonl", tmp_path / "h.db"
    lines = [json.dumps({"role": "user", "content": f"line {n}", "timestamp": 1.6e9 + 60 * n}) for n in range(6000)]
    export.write_text("\n".join(lines))
    for kills in range(3):
        command = [sys.executable, "-c", IMPORT, str(export), str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = 0
        for line in process.stdout:
            what, done = line.split()
            said = int(done) if what == "storing" else said
            if said >= 1000:
                break
        process.kill()
        process.communicate()
        with MemoryStore(path) as store:
            assert len(store) >= said + 1000 * kills
    with MemoryStore(path) as store:
        import_file(store, export)
        assert [turn.content for turn in store.turns] == [f"line {n}" for n in range(6000)]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"%PDF-1.7\n<< >>\n", r"line 1 is not JSON \(Expecting value\); line 2 is not JSON \(Expecting value\)"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", r"line 1 is not JSON \(Expecting value\); .*"),
        (b"\xff\xfe{\0}\0", r"line 1 is not JSON \(Expecting value\)"),
        (b"SQLite format 3\0\x10\0", r"line 1 is not JSON \(Expecting value\)"),
        (b"<html>\n  <body>", r"line 1 is not JSON \(Expecting value\)"),
        (b"Dear diary", r"line 1 is not JSON \(Expecting value\)"),
    ],
)
def test_what_is_no_export_is_named_with_what_can_be_read(content, line):
    with pytest.raises(
        HistoryFileError,
        match=rf"^export cannot be read as a history: {line}; give messages as JSON or JSON Lines in UTF-8",
    ):
        imported(content)


def test_a_report_counts_in_plain_english():
    hi = {"role": "user", "content": "Hi", "id": "1"}
    store, report = imported([{"id": "a", "messages": [hi]}])
    assert str(report) == "new messages: 1"
    _, report = imported([{"id": "a", "messages": [hi, {**hi, "id": "2"}, {**hi, "id": "3"}, 5]}, [hi]], store)
    assert str(report) == "new messages: 3; already stored: 1; could not be read: 1"


def test_without_ids_and_times_what_was_added_is_new_and_what_was_edited_is_another_conversation():
    def talk(*texts):
        return [[{"role": "user", "content": text} for text in texts]]

    store, _ = imported(talk("Hi", "ok", "b"))
    assert imported(talk("Hi", "ok", "b", "c"), store)[1].messages == 1
    assert imported(talk("Hi", "edited", "b", "c"), store)[1].messages == 4
    assert imported(talk("Hi", "other"), store)[1].messages == 2
    assert imported(talk("Hi", "edited", "b", "c", "d"), store)[1].messages == 1


@pytest.mark.parametrize("blank", ["\n", " ", " \n", "]\n", "] "])
def test_a_list_before_very_many_blanks_is_read_at_once(blank):
    content = ('[{"role": "user", "content": "Hi"}]' + blank * 40_000 + "x").encode()
    assert [turn.content for turn in imported(content)[0].turns] == ["Hi"]


def test_each_of_very_many_bad_lines_is_counted_and_the_good_ones_are_read():
    good = '{"role": "user", "content": "%s"}\n'
    store, report = imported((good % "a" + "x\n{\n" * 20_000 + good % "b").encode())
    assert [turn.content for turn in store.turns] == ["a", "b"]
    assert report.unread == 40_000
