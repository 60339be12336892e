"""Exports of other services, which name the same things differently, and files in unusual wrappings."""

import json

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import import_file, read_messages
from rlm_memory_core.store.times import parse_time

HI = {"role": "user", "content": "Hi"}
AT = "2023-05-20T10:00:00+00:00"


def read(value):
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    problems = []
    store = read_messages(content, "export", problems.append)
    return [(turn.role, turn.name, turn.content) for turn in store.turns], problems, store


def lines(*values):
    return "\n".join(map(json.dumps, values)).encode()


TAVERN = lines(
    {"user_name": "Ada", "character_name": "Sera", "create_date": "2024-5-20@10h00m00s", "chat_metadata": {}},
    {"name": "Ada", "is_user": True, "is_system": False, "send_date": "2024-5-20 @10h 05m 12s 123ms", "mes": "Hello."},
    {"name": "Sera", "is_user": False, "send_date": "May 20, 2024 10:06am", "mes": "Hi.", "swipes": ["Hi.", "Ho."]},
)
TEAMS = {
    "messages": [
        {"id": "1", "createdDateTime": AT, "from": {"application": None, "user": {"id": "u", "displayName": "Ada"}},
         "body": {"contentType": "text", "content": "Hello."}, "attachments": []},
        {"id": "2", "createdDateTime": AT, "from": {"application": {"displayName": "Sera"}, "user": None},
         "body": {"contentType": "text", "content": "Hi."}},
    ]
}  # fmt: skip


def event(number, kind="m.room.message", **content):
    return {"type": kind, "sender": "@ada:hs", "event_id": f"${number}", "origin_server_ts": 1684576800000 + number,
            "content": content}  # fmt: skip


EVENTS = [
    event(0, "m.room.member", membership="join"), event(1, msgtype="m.text", body="Hello."),
    event(2, "m.reaction", **{"m.relates_to": {"key": "+1"}}), event(3, msgtype="m.text", body="Hi."),
]  # fmt: skip
TELEGRAM = {"about": "", "chats": {"list": [{"name": "Ben", "id": 5, "messages": [
    {"id": 1, "type": "message", "date": "2023-05-20T10:00:00", "from": "Ada", "text": "Hello."},
    {"id": 2, "type": "service", "date": "2023-05-20T10:00:01", "actor": "Ada", "from": "Ada", "text": ""},
]}]}, "left_chats": {"list": [{"name": "Old", "messages": [
    {"id": 1, "date": "2023-05-21T10:00:00", "from": "Ben", "text": "Hi."}]}]}}  # fmt: skip
TWITTER = b"window.YTD.direct_messages.part0 = " + json.dumps(
    [{"dmConversation": {"conversationId": "1-2", "messages": [
        {"messageCreate": {"senderId": "7", "text": "Hello.", "createdAt": AT}}]}}], indent=1).encode()  # fmt: skip

EXPORTS = {
    "SillyTavern": (TAVERN, [("user", "Ada", "Hello."), ("assistant", "Sera", "Hi.")]),
    "Teams": (TEAMS, [("user", "Ada", "Hello."), ("assistant", "Sera", "Hi.")]),
    "Teams page": ({"value": TEAMS["messages"]}, [("user", "Ada", "Hello."), ("assistant", "Sera", "Hi.")]),
    "Matrix": ({"room_name": "R", "messages": EVENTS}, [("user", "@ada:hs", "Hello."), ("user", "@ada:hs", "Hi.")]),
    "Matrix events": ({"events": EVENTS}, [("user", "@ada:hs", "Hello."), ("user", "@ada:hs", "Hi.")]),
    "Matrix page": ({"chunk": EVENTS, "start": "a"},
                                  [("user", "@ada:hs", "Hello."), ("user", "@ada:hs", "Hi.")]),
    "Matrix lines": (lines(*EVENTS), [("user", "@ada:hs", "Hello."), ("user", "@ada:hs", "Hi.")]),
    "Telegram": (TELEGRAM, [("user", "Ada", "Hello."), ("user", "Ben", "Hi.")]),
    "Twitter": (TWITTER, [("user", "7", "Hello.")]),
    "LangChain": ([{"lc": 1, "type": "constructor", "id": ["x"], "kwargs": {"type": "human", "content": "Hi"}},
                   {"type": "ai", "data": {"content": "Yes."}}], [("user", "", "Hi"), ("assistant", "", "Yes.")]),
    "Assistants": ({"object": "list", "data": [{"role": "user", "created_at": 1684576800, "content": [
        {"type": "text", "text": {"value": "Hi", "annotations": []}}]}]}, [("user", "", "Hi")]),
}  # fmt: skip


@pytest.mark.parametrize("service", EXPORTS)
def test_an_export_is_read_with_its_speakers(service):
    value, expected = EXPORTS[service]
    found, problems, _ = read(value)
    assert (found, problems) == (expected, [])


def test_times_of_every_service_are_read():
    for value, day in ((TAVERN, "2024-05-20"), (TEAMS, "2023-05-20"), (EVENTS, "2023-05-20"), (TWITTER, "2023-05-20")):
        assert {str(parse_time(turn.timestamp).date()) for turn in read(value)[2].turns} == {day}


@pytest.mark.parametrize("key", ["data", "log", "chat", "items", "input", "thread", "name of my own"])
def test_a_list_of_messages_is_found_under_any_name(key):
    found, problems, store = read({"title": "T", "id": "1", key: [HI, {"role": "assistant", "content": "Yes."}]})
    assert (found, problems) == ([("user", "", "Hi"), ("assistant", "", "Yes.")], [])
    assert store.sessions[0].title == "T"


def test_conversations_under_names_of_their_own_are_read_and_the_bad_one_is_named():
    value = {"c1": {"messages": [HI]}, "c2": {"title": "Odd", "mapping": None}, "c3": {"messages": [HI]}}
    found, problems, store = read(value)
    assert (found, len(store.sessions)) == ([("user", "", "Hi")] * 2, 2)
    assert ["c2 has no role or list of messages" in problem and '"Odd"' in problem for problem in problems] == [True]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "speaker": "Ada", "text": "Hi"}, {"role": "user", "sender": "Ada", "content": "Hi"},
        {"role": "user", "author": {"name": "Ada"}, "content": "Hi"}, {"participant": "Ada", "message": "Hi"},
        {"from": {"user": {"displayName": "Ada"}}, "body": {"content": "Hi"}}, {"sender_name": "Ada", "msg": "Hi"},
        {"senderName": "Ada", "text": "Hi"}, {"creator": {"name": "Ada"}, "text": "Hi"},
        {"post": {"user": "Ada", "message": "Hi"}},
    ],
    ids=str,
)  # fmt: skip
def test_a_speaker_beside_a_role_is_not_lost(message):
    assert read([message])[0] == [("user", "Ada", "Hi")]


LIST = json.dumps([HI, {"role": "assistant", "content": "Grüße"}], ensure_ascii=False)


@pytest.mark.parametrize(
    "wrapped",
    [
        f"window.data = {LIST};", f'window["data"] = {LIST}', f"callback({LIST});", f"var chats = \n{LIST}\n",
        f"export default {LIST};", f"jsonp_1({LIST})\n", LIST.replace("}, {", "}\n{")[1:-1],
        LIST.replace("}, {", "}{")[1:-1], "\x1e" + LIST.replace("}, {", "}\n\x1e{")[1:-1], LIST[:-1] + ",\n]",
        json.dumps(json.loads(LIST)[0], indent=1) + "\n" + json.dumps(json.loads(LIST)[1], indent=1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_values_in_any_wrapping_and_encoding(wrapped, encoding):
    found, problems, _ = read(wrapped.encode(encoding))
    assert (found, problems) == ([("user", "", "Hi"), ("assistant", "", "Grüße")], [])


@pytest.mark.parametrize(
    ("session", "own"), [("session_id", "conversation_id"), ("session", "id"), ("sessionId", "uuid")]
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


OPEN_WEBUI = {"title": "T", "chat": {"history": {"currentId": "b", "messages": {
    "a": {"id": "a", "parentId": None, "role": "user", "content": "Hi", "timestamp": 1684576800},
    "b": {"id": "b", "parentId": "a", "role": "assistant", "content": "Yes.", "timestamp": 1684576801},
    "c": {"id": "c", "parentId": "a", "role": "assistant", "content": "Not shown.", "timestamp": 1684576802},
}}}}  # fmt: skip
SAID = {"role": "assistant", "content": "Yes."}
LIBRE = {"sender": "GPT-4", "isCreatedByUser": False, "text": "",
         "content": [{"type": "think", "think": "hm"}, {"type": "text", "text": "Yes."}]}  # fmt: skip
ASKED = {"sender": "User", "isCreatedByUser": True, "text": "Hi"}
GEMINI = [{"role": "user", "parts": [{"text": "Hi"}]},
          {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "Yes."}]}]  # fmt: skip
STUDIO = {"runSettings": {"model": "g"}, "chunkedPrompt": {"chunks": [
    {"text": "Hi", "role": "user"}, {"text": "hm", "role": "model", "isThought": True},
    {"text": "Yes.", "role": "model", "finishReason": "STOP"}]}}  # fmt: skip
TREES = {
    "Open WebUI": OPEN_WEBUI,
    "Open WebUI, also as a list": {"chat": {**OPEN_WEBUI["chat"], "messages": [HI]}},
    "LibreChat": {"conversationId": "x", "messages": [ASKED, LIBRE]},
    "LibreChat, replies within": {"id": "x", "messages": [{**ASKED, "children": [{**LIBRE, "children": []}]}]},
    "Gemini": {"contents": GEMINI},
    "AI Studio": STUDIO,
    "messages by id": {"messages": {"a": HI, "b": SAID}},
    "conversations by id": {"conversations": {"a": {"messages": [HI]}, "b": {"messages": [SAID]}}},
    "DeepSeek": {"mapping": {
        "r": {"parent": None, "message": None},
        "1": {"parent": "r", "message": {"fragments": [{"type": "REQUEST", "content": "Hi"}]}},
        "2": {"parent": "1", "message": {"fragments": [{"type": "THINK", "content": "hm"},
                                                       {"type": "RESPONSE", "content": "Yes."}]}}}},
    "Grok": {"conversations": [{"conversation": {}, "responses": [
        {"response": {"sender": "human", "message": "Hi"}}, {"response": {"sender": "model", "message": "Yes."}}]}]},
    "Chatbox": {"chat-sessions": [{"messages": [
        {"role": role, "contentParts": [{"type": "text", "text": text}]}
        for role, text in (("user", "Hi"), ("assistant", "Yes."))]}]},
    "LangGraph": [{"type": "human", "content": "Hi"}, {"type": "AIMessageChunk", "content": "Yes."}],
    "LlamaIndex": [{"role": role, "blocks": [{"block_type": "text", "text": text}]}
                   for role, text in (("user", "Hi"), ("assistant", "Yes."))],
}  # fmt: skip


@pytest.mark.parametrize("form", TREES)
def test_the_branch_that_was_shown_without_its_thoughts(form):
    found, problems, _ = read(TREES[form])
    assert ([(role, text) for role, _, text in found], problems) == ([("user", "Hi"), ("assistant", "Yes.")], [])


@pytest.mark.parametrize(
    "time", [{"$date": {"$numberLong": "1684576800000"}}, {"_seconds": 1684576800, "_nanoseconds": 0}]
)
def test_dates_as_databases_write_them(time):
    _, problems, store = read([HI | {"create_time": time}])
    assert (str(parse_time(store.turns[0].timestamp)), problems) == ("2023-05-20 10:00:00+00:00", [])


def test_an_answer_beside_a_message_does_not_replace_it():
    assert read([HI | {"response": {"role": "assistant", "content": "Yes."}}])[0] == [("user", "", "Hi")]


def test_a_long_chain_of_replies_within_replies():
    chat = {**HI, "children": []}
    for _ in range(300):
        chat = {**HI, "children": [chat]}
    assert len(read([chat])[0]) == 301


def test_links_and_bold_words_stay_in_their_line():
    text = ["See ", {"type": "link", "text": "http://x"}, ", it is ", {"type": "bold", "text": "new"}, "."]
    assert read([{"from": "Ada", "text": text}])[0][0][2] == "See http://x, it is new."
