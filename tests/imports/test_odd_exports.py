"""Exports as services and people really write them: what can be read is in the store, the rest is named and counted."""

import io
import json
import zipfile
from copy import deepcopy

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import HistoryFileError, import_file
from rlm_memory_core.imports.reader import import_stream

NOON = 1700049600.0  # 2023-11-15 12:00 UTC


def imported(value, store=None):
    store = MemoryStore(tz="UTC") if store is None else store
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return store, import_stream(store, io.BufferedReader(io.BytesIO(content)), "export")


def said(store):
    return [(turn.role, turn.content) for turn in store.turns]


def lines(*values, end="\n"):
    return end.join(json.dumps(value, ensure_ascii=False) for value in values)


def gpt(title, *messages, **more):
    """A ChatGPT conversation whose messages follow one another; a message is a role, parts and what else it has."""
    mapping, parent = {"root": {"id": "root", "message": None, "parent": None, "children": []}}, "root"
    for number, (role, content, extra) in enumerate(messages):
        name = f"{title}-{number}"
        content = content if isinstance(content, dict) else {"content_type": "text", "parts": content}
        author = {"role": role, "name": None, "metadata": {}}
        message = {"id": name, "author": author, "create_time": NOON + 60 * number, "content": content, **extra}
        mapping[name] = {"id": name, "message": message, "parent": parent, "children": []}
        parent = name
    return {"title": title, "conversation_id": title, "create_time": NOON, "mapping": mapping, "current_node": parent,
            **more}  # fmt: skip


VOICE = {"content_type": "multimodal_text", "parts": [
    {"content_type": "audio_transcription", "text": "Where did I park?", "direction": "in", "decoding_id": None},
    {"content_type": "real_time_user_audio_video_asset_pointer", "frames_asset_pointers": []},
]}  # fmt: skip
MESSAGES = [
    (("system", [""], {"weight": 0.0, "metadata": {"is_visually_hidden_from_conversation": True}}), None),
    (("user", ["Kept, whatever its weight."], {"weight": 0.0}), ("user", "Kept, whatever its weight.")),
    (("user", VOICE, {}), ("user", "Where did I park?\n[real_time_user_audio_video_asset_pointer]")),
    (("user", ["Read this."], {"metadata": {"attachments": [{"id": "f", "name": "lease.pdf", "size": 9}]}}),
     ("user", "Read this.\n[file: lease.pdf]")),
    (("assistant", {"content_type": "code", "language": "python", "text": "2 + 2"}, {"recipient": "python"}),
     ("assistant", "[tool call: python(2 + 2)]")),
    (("tool", {"content_type": "execution_output", "text": "4"}, {}), ("tool", "4")),
    (("tool", {"content_type": "tether_browsing_display", "result": "A page.", "summary": None}, {}),
     ("tool", "A page.")),
    (("tool", {"content_type": "tether_quote", "url": "u", "text": "Quoted.", "title": "T"}, {}), ("tool", "Quoted.")),
    (("tool", {"content_type": "system_error", "name": "Oops", "text": "It failed."}, {}), ("tool", "It failed.")),
    (("assistant", {"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "hm"}]}, {}), None),
    (("assistant", {"content_type": "reasoning_recap", "content": "Thought for 3 s"}, {}), None),
    (("assistant", [None], {}), ("assistant", None)),
    (("assistant", ["", None, "Yes."], {}), ("assistant", "Yes.")),
    (("assistant", {"content_type": "text", "parts": None}, {}), None),
    (("assistant", None, {"content": None}), None),
    (("user", {"content_type": "model_editable_context", "model_set_context": "1. Ada sails."}, {}),
     ("system", "1. Ada sails.")),
]  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), MESSAGES, ids=lambda value: str(value)[:50])
def test_each_kind_of_chatgpts_messages(message, expected):
    store, report = imported([gpt("T", ("user", ["Hello."], {}), message)])
    wanted = [] if expected is None or expected[1] is None else [expected]
    assert said(store) == [("user", "Hello."), *wanted]
    assert report.unread == 0
    assert wanted or report.skipped


def test_an_archive_with_folders_and_several_files_of_conversations(tmp_path):
    files = {
        "export/user.json": {"id": "u"},
        "export/conversations-000.json": [gpt("One", ("user", ["First."], {}))],
        "export/conversations-001.json": [gpt("Two", ("user", ["Second."], {})), gpt("One", ("user", ["First."], {}))],
        "export/conversations-002.json": "{ not json",
        "export/conversations-003.json": "",
        "export/shared_conversations.json": [{"id": "s", "title": "Shared"}],
        "__MACOSX/export/._conversations-000.json": "\0\0",
    }
    with zipfile.ZipFile(tmp_path / "e.zip", "w", zipfile.ZIP_DEFLATED) as out:
        for name, value in files.items():
            out.writestr(name, value if isinstance(value, str) else json.dumps(value))
    store = MemoryStore()
    report = import_file(store, tmp_path / "e.zip")
    assert [content for _, content in said(store)] == ["First.", "Second."]
    assert (report.known, report.unread) == (1, 1)
    assert "conversations-002.json" in report.problems[0]
    assert import_file(store, tmp_path / "e.zip").messages == 0


def test_a_damaged_file_of_an_archive_is_named_and_the_others_are_read(tmp_path):
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in "abc":
            out.writestr(f"conversations-{name}.json", json.dumps([gpt(name, ("user", [f"From {name}."] * 50, {}))]))
    content = bytearray(path.read_bytes())
    at = content.index(b"conversations-b.json") + 60
    content[at : at + 40] = bytes(40)
    path.write_bytes(content)
    store = MemoryStore()
    report = import_file(store, path)
    assert [content.split("\n")[0] for _, content in said(store)] == ["From a.", "From c."]
    assert [problem.startswith("conversations-b.json cannot be read") for problem in report.problems] == [True]


def claude(*messages, name="Plan"):
    return {"uuid": "c-1", "name": name, "created_at": "2024-02-03T08:00:00Z", "account": {"uuid": "a"},
            "chat_messages": [{"uuid": f"m-{n}", "created_at": f"2024-02-03T08:0{n}:00.5+00:00", "files": [],
                               "attachments": [], "text": "", **each} for n, each in enumerate(messages)]}  # fmt: skip


BLOCKS = [
    ({"sender": "human", "text": "Hi", "content": [{"type": "text", "text": "Hi", "citations": []}]}, "Hi"),
    ({"sender": "human", "text": "Only in text.", "content": []}, "Only in text."),
    ({"sender": "human", "text": "Only in text.", "content": None}, "Only in text."),
    ({"sender": "assistant", "content": [{"type": "thinking", "thinking": "hm", "summaries": []},
                                         {"type": "text", "text": "Done."}]}, "Done."),
    ({"sender": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "Ok"}]},
     "Ok"),
    ({"sender": "assistant", "content": [{"type": "tool_use", "name": "search", "input": {"q": "é"}}]},
     '[tool call: search({"q": "é"})]'),
    ({"sender": "assistant", "content": [{"type": "tool_result", "name": "search", "content": "Found."}]},
     "[tool result: Found.]"),
    ({"sender": "human", "text": "See", "attachments": [{"file_name": "a.txt", "extracted_content": "In a."},
                                                        {"file_name": "b.pdf", "extracted_content": ""}]},
     "See\n[file: a.txt]\nIn a.\n[file: b.pdf]"),
    ({"sender": "human", "text": "", "files": [{"file_name": "cat.png"}]}, "[file: cat.png]"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "text"), BLOCKS, ids=lambda value: str(value)[:50])
def test_each_kind_of_claudes_messages(message, text):
    store, report = imported([claude(), claude(message), claude(name="empty")])
    role = {"human": "user"}.get(message["sender"], "assistant")
    assert (said(store), report.unread) == ([(role, text)], 0)


LISTS = [
    ({"role": "assistant", "content": "<think>secret</think>Hello."}, "assistant", "Hello."),
    ({"role": "model", "parts": [{"text": "Hello."}]}, "assistant", "Hello."),
    ({"type": "custom_tool_call", "name": "x", "input": "do it"}, "assistant", "[tool call: x(do it)]"),
    ({"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function",
      "function": {"name": "book", "arguments": "{\"day\": 3}"}}]}, "assistant", '[tool call: book({"day": 3})]'),
    ({"role": "assistant", "content": None, "function_call": {"name": "book", "arguments": "{}"}}, "assistant",
     "[tool call: book({})]"),
    ({"role": "tool", "tool_call_id": "1", "content": "booked"}, "tool", "booked"),
    ({"role": "function", "name": "book", "content": "booked"}, "function", "booked"),
    ({"role": "developer", "content": "Be brief."}, "developer", "Be brief."),
    ({"role": "User", "content": "Hi"}, "user", "Hi"),
    ({"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "x"}]},
     "user", "a\n[input_image]"),
    ({"role": "assistant", "content": [{"type": "output_text", "text": "b", "annotations": []}]}, "assistant", "b"),
    ({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, "assistant", "No."),
    ({"role": "assistant", "content": None, "refusal": "No."}, "assistant", "No."),
    ({"role": "assistant", "content": None, "audio": {"id": "a", "transcript": "Spoken."}}, "assistant", "Spoken."),
    ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}, "user", "[image_url]"),
    ({"role": "assistant", "content": "Yes.", "reasoning_content": "hm"}, "assistant", "Yes."),
    ({"type": "function_call", "name": "book", "arguments": "{}", "call_id": "1"}, "assistant",
     "[tool call: book({})]"),
    ({"type": "function_call_output", "call_id": "1", "output": "booked"}, "tool", "[tool result: booked]"),
    ({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "is_error": True, "content": [
        {"type": "text", "text": "no seats"}, {"type": "image", "source": {}}]}]}, "user",
     "[tool result: no seats [image]]"),
    ({"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "s"},
                                       {"type": "tool_use", "id": "1", "name": "f", "input": {}}]}, "assistant",
     "[tool call: f({})]"),
    ({"from": "human", "value": "q"}, "user", "q"),
    ({"from": "gpt", "value": "a"}, "assistant", "a"),
    ({"from": "system", "value": "s"}, "system", "s"),
    ({"from": "tool", "value": "t"}, "tool", "t"),
    ({"from": "function_call", "value": "{}"}, "assistant", "{}"),
    ({"from": "observation", "value": "o"}, "tool", "o"),
    ({"type": "user", "uuid": "1", "message": {"role": "user", "content": "logged"}}, "user", "logged"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "role", "text"), LISTS, ids=lambda value: str(value)[:50])
def test_each_kind_of_message_lists(message, role, text):
    for value in ([message], {"messages": [message]}, [[message]], {"id": "x", "conversations": [message]}):
        store, report = imported(value)
        assert (said(store), report.unread) == ([(role, text)], 0)


@pytest.mark.parametrize(
    "odd", [{"title": "Odd", "mapping": None}, {"name": "Odd", "chat_messages": {}}, {"uuid": "u", "name": "Odd"},
            gpt("Odd", ("user", ["x"], {"author": {"role": None}}))],
)  # fmt: skip
def test_each_conversation_that_cannot_be_read_is_named(odd):
    store, report = imported([odd, gpt("Good", ("user", ["Hello."], {}))])
    assert said(store) == [("user", "Hello.")]
    assert ['"Odd"' in problem for problem in report.problems] == [True]


@pytest.mark.parametrize(
    "odd",
    [{"type": ["a"]}, {"type": {}}, {"role": []}, {"author": []}, {"metadata": 1}, {"id": {}}, {"history": [1]}],
    ids=str,
)
def test_an_entry_of_another_type_costs_no_message(odd):
    store, report = imported([{"role": "user", "content": "Hi", "sender": "user"} | odd])
    assert (said(store), report.unread) == ([("user", "Hi")], 0)


def test_reasoning_between_messages_is_counted():
    store, report = imported([{"type": "reasoning", "summary": []}, {"role": "user", "content": "Hi"}])
    assert (said(store), report.unread, report.skipped["thought"]) == ([("user", "Hi")], 0, 1)


def test_the_system_prompt_beside_a_list_is_kept():
    store, _ = imported({"system": "Be kind.", "messages": [{"role": "user", "content": "Hi"}]})
    assert said(store) == [("system", "Be kind."), ("user", "Hi")]


def test_lists_of_conversations_within_an_object_are_read():
    talk = {"title": "T", "messages": [{"role": "user", "content": "Hi"}]}
    for value in ({"conversations": [talk, talk["messages"]]}, {"chats": [talk, gpt("G", ("user", ["Hi"], {}))]},
                  {"object": "list", "data": [talk, {"id": "x", "conversations": [{"from": "human", "value": "Hi"}]}]},
                  {"data": [{"sessions": [talk, talk]}]}):  # fmt: skip
        store, report = imported(value)
        assert (said(store), report.unread, len(store.sessions)) == ([("user", "Hi")] * 2, 0, 2)


HI, YES, NO = (
    {"role": role, "content": text} for role, text in (("user", "Hi"), ("assistant", "Yes"), ("assistant", "No"))
)


def test_equal_conversations_in_two_collections_are_both_stored():
    store, _ = imported({"chats": [[HI]], "conversations": [[HI]]})
    assert said(store) == [("user", "Hi")] * 2
    record = {"messages": [HI, YES], "id": "x"}
    assert imported([record, {"id": "y", "messages": [HI, NO]}])[1].messages == 4


def test_a_deep_content_costs_its_own_message():
    deep = "x"
    for _ in range(700):
        deep = [deep]
    talk = {"messages": [{"role": "user", "content": deep}, {"role": "user", "content": "Hi"}, deep]}
    for value in (talk, [talk]):
        store, report = imported(value)
        assert store.turns[-1].content == "Hi"
        assert len(store) + report.unread == 3


FORMS = {
    "bom": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "cr": lambda text: text.replace("\n", "\r").encode(),
    "blank lines": lambda text: ("\n\n" + text.replace("\n", "\n \n") + "\n\n").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_lines_in_every_encoding_with_a_bad_one_among_them(form):
    text = "\n".join([lines({"role": "user", "content": "Grüße 🦜"}), '{"role": "user", "con', "null",
                      lines({"role": "assistant", "content": "二"})])  # fmt: skip
    store, report = imported(FORMS[form](text))
    assert said(store) == [("user", "Grüße 🦜"), ("assistant", "二")]
    assert report.unread == 2


def test_the_first_line_may_be_longer_than_what_is_read_at_once():
    long = {"messages": [{"role": "user", "content": "x" * 1_500_000}]}
    for other in ([], [long], [{"messages": [{"role": "user", "content": "short"}]}] * 3):
        store, report = imported(lines(long, *other).encode())
        assert (len(store), report.unread) == (1 + len(other), 0)


def test_what_follows_a_list_is_not_lost_in_silence():
    _, report = imported(json.dumps([{"role": "user", "content": "a"}], indent=1).encode() + b"\n[1]")
    assert report.problems == ["line 7, entry 1 is not a message but 1"]


TIMES = [
    (1700049600, "2023-11-15T12:00:00+00:00"), (1700049600123, "2023-11-15T12:00:00.123000+00:00"),
    (1700049600123456, "2023-11-15T12:00:00.123456+00:00"), ("1700049600", "2023-11-15T12:00:00+00:00"),
    ("2023-11-15T12:00:00", "2023-11-15T12:00:00"), ("2023-11-15T12:00:00+02:00", "2023-11-15T12:00:00+02:00"),
    ("2023-11-15 12:00:00 UTC", "2023-11-15 12:00:00 UTC"), (20231115, "20231115"), (" 15 Nov 2023 ", "15 Nov 2023"),
]  # fmt: skip
ABSURD = [-1, -1e18, 1e30, 12345, True, "soon", "0000-00-00", "9999-99-99T00:00:00Z", [2023], {"year": 2023}, "1" * 40]


@pytest.mark.parametrize(("given", "kept"), TIMES, ids=str)
def test_times_are_kept_with_their_zone_or_without(given, kept):
    store, report = imported([{"role": "user", "content": "Hi", "timestamp": given}])
    assert (store.turns[0].timestamp, report.unread) == (kept, 0)
    assert (store.sessions[0].date or "").replace("/", "-")[:7] in ("2023-11", "2023111", "15 Nov ")


@pytest.mark.parametrize("given", ABSURD, ids=str)
def test_a_message_with_an_absurd_time_is_stored_and_named(given):
    good = {"role": "user", "content": "good", "timestamp": NOON}
    store, report = imported(lines(good, {"role": "user", "content": "odd", "timestamp": given}, good).encode())
    assert sorted(content for _, content in said(store)) == ["good", "good", "odd"]
    assert [problem.startswith("line 2 has a date that cannot be read") for problem in report.problems] == [True]


@pytest.mark.parametrize("given", [None, "", 0, 0.0, " "])
def test_no_time_is_no_fault(given):
    store, report = imported([{"role": "user", "content": "Hi", "timestamp": given}])
    assert (store.sessions[0].date, report.unread) == (None, 0)


def test_two_messages_with_one_id_are_both_kept_and_a_repeated_one_is_not():
    one, two = ({"id": "1", "role": "user", "content": text, "timestamp": NOON} for text in ("one", "two"))
    store, report = imported(lines(one, two, one).encode())
    assert [content for _, content in said(store)] == ["one", "two"]
    assert (report.known, imported(lines(one, two, one).encode(), store)[1].messages) == (1, 0)


GROWING = {
    "chatgpt": lambda texts: [gpt("C", *(("user", [text], {"id": f"m-{n}"}) for n, text in enumerate(texts)))],
    "claude": lambda texts: [claude(*({"sender": "human", "text": text} for text in texts))],
    "conversation with an id": lambda texts: [
        {"id": "x", "messages": [{"role": "user", "content": text} for text in texts]}
    ],
    "messages with times": lambda texts: [
        {"role": "user", "content": text, "created_at": NOON + 60 * n} for n, text in enumerate(texts)
    ],
    "messages with days, newest first": lambda texts: [
        {"role": "user", "content": text, "date": f"2023-11-{n + 1:02}"} for n, text in enumerate(texts)
    ][::-1],
    "messages with times and a session": lambda texts: [
        {"session_id": 7, "role": "user", "content": text, "ts": NOON + 60 * n} for n, text in enumerate(texts)
    ],
}


@pytest.mark.parametrize("form", GROWING)
def test_a_newer_export_adds_what_is_new_and_what_was_edited(form):
    store, _ = imported(GROWING[form](["a", "ok", "b", "ok", "c"]))
    assert len(store) == 5
    newer = GROWING[form](["a", "ok", "b edited", "ok", "c", "d", "ok"])
    _, report = imported(newer, store)
    assert [content for _, content in said(store)[5:]] == ["b edited", "d", "ok"]
    assert (report.messages, report.known) == (3, 4)
    assert imported(newer, store)[1].messages == 0
    assert imported(GROWING[form](["a", "ok", "b", "ok", "c"]), store)[1].messages == 0


def test_equal_words_of_different_conversations_are_all_kept():
    hi, bye = {"role": "user", "content": "Hi"}, {"role": "user", "content": "Bye"}
    values = [
        [[hi, bye], [hi, hi, bye], [hi]],
        [{"date": "2023-11-15", "messages": [hi, bye]}, {"date": "2023-11-15", "messages": [hi, hi]}],
        [{"id": "a", "messages": [hi, hi]}, {"id": "b", "messages": [hi, hi]}],
        [{"messages": [{**hi, "created_at": NOON}]}, {"messages": [{**hi, "created_at": NOON}, bye]}],
    ]
    for value in values:
        count = sum(len(each["messages"] if isinstance(each, dict) else each) for each in value)
        store, report = imported(value)
        assert (len(store), report.known) == (count, 0)
        assert imported(deepcopy(value), store)[1].messages == 0


def test_a_history_without_times_that_mixes_known_and_new_is_not_doubled(tmp_path):
    mixed = [{"role": "user", "content": f"{n}", **({"timestamp": NOON + n} if n % 3 == 1 else {})} for n in range(9)]
    for value in (mixed, {"messages": mixed}):
        store, _ = imported(value)
        assert len(store) == 9
        assert imported(value, store)[1].messages == 0


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 but not an archive", b"\0" * 1000, b"%PDF-1.7", b"[", b"{", b"\xff\xfe", b"\xef\xbb\xbf"]
)
def test_what_is_no_history_is_refused_in_one_line(content):
    with pytest.raises(HistoryFileError) as raised:
        imported(content)
    assert str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "content", [b" " * 5_000, b"[" + b" " * 5_000, b'["' + b"x" * 5_000, b'{"a": "' + b"x" * 5_000]
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_value_without_end_is_not_read_to_its_end(tmp_path, monkeypatch, content, packed):
    monkeypatch.setattr("rlm_memory_core.imports.json_values._LONGEST", 1_000)
    monkeypatch.setattr("rlm_memory_core.imports.json_values._WINDOW", 100)
    path = tmp_path / "conversations.json"
    path.write_bytes(content)
    if packed:
        with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, path.name)
        path = tmp_path / "export.zip"
    with pytest.raises(HistoryFileError):
        import_file(MemoryStore(), path)


def test_a_bad_entry_costs_itself_where_each_entry_has_a_line():
    good = [json.dumps({"role": "user", "content": text}) for text in ("one", "two", "three")]
    content = "[\n" + ",\n".join([good[0], '{"role": "user", "con', good[1], "{'role': 'user'}", good[2]]) + "\n]"
    store, report = imported(content.encode())
    assert [content for _, content in said(store)] == ["one", "two", "three"]
    assert [problem.partition(" is not JSON")[0] for problem in report.problems] == ["entry 2", "entry 4"]


def of_day(*texts):
    roles = ("user", "assistant") * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return {"date": "2023-05-20", "messages": messages}


def test_two_conversations_of_one_day_may_begin_alike():
    store, _ = imported(of_day("Hi", "A"))
    store, report = imported(of_day("Hi", "B"), store)
    assert (report.messages, report.known) == (2, 0)
    assert [content for _, content in said(store)] == ["Hi", "A", "Hi", "B"]


def test_a_newer_export_with_a_new_conversation_on_top_keeps_it_whole():
    old = of_day("Good morning", "A")
    store, _ = imported([old])
    store, report = imported([of_day("Good morning", "NEW"), old], store)
    assert (report.messages, report.known) == (2, 2)
    assert [content for _, content in said(store)] == ["Good morning", "A", "Good morning", "NEW"]


def test_conversations_of_different_days_may_be_the_same_words():
    hi = {"role": "user", "content": "Hi"}
    store, _ = imported([{"date": "2023-05-20", "messages": [hi]}])
    store, report = imported([{"date": "2023-05-21", "messages": [hi, hi | {"content": "x"}]}], store)
    assert (report.messages, report.known) == (2, 0)


@pytest.mark.parametrize("days", [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [3, 1, 2, 2, 5]])
def test_messages_with_days_alone_are_known_again_in_any_order(days):
    messages = [{"role": "user", "content": f"m{day}", "date": f"2023-05-0{day}"} for day in days]
    store, _ = imported({"messages": messages})
    store, report = imported({"messages": messages}, store)
    assert (report.messages, report.known) == (0, 5)
