"""One export with every oddity of real files: the good conversations are stored, the others are named."""

import json
import zipfile

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.imports import import_file
from rlm_memory_core.store.times import parse_time

START = 1_684_584_000.0  # 2023-05-20 12:00 UTC


def talk(title, hour, *messages, **more):
    """A conversation of ChatGPT. Each message is a role, its content, and other entries."""
    mapping, parent = {"root": {"id": "root", "message": None, "parent": None, "children": []}}, "root"
    for number, (role, content, *rest) in enumerate(messages):
        if isinstance(content, str):
            content = {"content_type": "text", "parts": [content]}
        name = f"{title} {number}"
        message = {"id": name, "author": {"role": role}, "create_time": START + 3600 * hour + 60 * number,
                   "content": content, **(rest[0] if rest else {})}  # fmt: skip
        mapping[name] = {"id": name, "message": message, "parent": parent, "children": []}
        mapping[parent]["children"].append(name)
        parent = name
    return {"title": title, "id": title, "create_time": START + 3600 * hour, "mapping": mapping,
            "current_node": parent, **more}  # fmt: skip


def changed(conversation, **nodes):
    """A conversation with other parents or whole nodes. `_1` is the second message."""
    for number, change in nodes.items():
        name = f"{conversation['title']} {number[1:]}"
        if isinstance(change, dict):
            conversation["mapping"][name].update(change)
        else:
            conversation["mapping"][name] = change
    return conversation


def multimodal(*parts):
    return {"content_type": "multimodal_text", "parts": list(parts)}


HIDDEN = {"metadata": {"is_visually_hidden_from_conversation": True}}
REFUSAL = {"content_type": "text", "parts": [{"type": "refusal", "refusal": "I cannot do that."}]}
TURNS = (("user", "My cat is Mochi."), ("assistant", "Nice."))

# the conversations that can be read, oldest first, and what each says
READABLE = [
    (talk("plain", 0, *TURNS), ["My cat is Mochi.", "Nice."]),
    (talk("null current node", 1, *TURNS, current_node=None), ["My cat is Mochi.", "Nice."]),
    (changed(talk("dead parent", 2, *TURNS), _0={"parent": "gone"}), ["My cat is Mochi.", "Nice."]),
    (changed(talk("circle", 3, *TURNS), _0={"parent": "circle 1"}), ["My cat is Mochi.", "Nice."]),
    (changed(talk("two roots", 4, *TURNS, ("user", "Hello again.")), _2={"parent": None}), ["Hello again."]),
    (changed(talk("branches", 5, *TURNS, ("assistant", "Lovely.")), _2={"parent": "branches 0"}),
     ["My cat is Mochi.", "Lovely."]),
    (talk("null part", 6, ("user", {"content_type": "text", "parts": [None, "Hi."]})), ["Hi."]),
    (talk("image", 7, ("user", multimodal({"content_type": "image_asset_pointer", "asset_pointer": "x"}, "Who?"))),
     ["[image_asset_pointer]\nWho?"]),
    (talk("audio", 8, ("user", multimodal({"content_type": "audio_transcription", "text": "Spoken."},
                                          {"content_type": "audio_asset_pointer"}))),
     ["Spoken.\n[audio_asset_pointer]"]),
    (talk("call", 9, ("assistant", "", {"function_call": {"name": "find", "arguments": '{"a": 1}'}}),
          ("tool", {"content_type": "execution_output", "text": "42"})), ['[tool call: find({"a": 1})]', "42"]),
    (talk("refusal", 10, ("user", "Do it."), ("assistant", REFUSAL)), ["Do it.", "I cannot do that."]),
    (talk("hidden", 11, ("system", "Secret rules.", HIDDEN), ("user", "Hi.")), ["Hi."]),
    (talk("surrogate", 12, ("user", "a\ud800b")), ["a\ufffdb"]),
    (talk("nul", 13, ("user", "a\0b")), ["a\0b"]),
    (talk("thoughts", 14, ("assistant", {"content_type": "thoughts", "thoughts": [{"content": "Hm."}]}),
          ("assistant", "<think>Hm.</think>Yes.")), ["Yes."]),
    (talk("same id", 15, ("user", "one", {"id": "x"}), ("user", "two", {"id": "x"}), ("user", "two", {"id": "x"})),
     ["one", "two"]),
    ({**talk("number as title", 16, ("user", "Hi.")), "title": 7}, ["Hi."]),
]  # fmt: skip
# of these, only some messages can be read, or none; each with its reason
IN_PART = [
    (changed(talk("null author", 20, *TURNS), _0={"message": {"author": None, "content": "x"}}), ["Nice."],
     '"null author"), message 1 has no role'),
    (changed(talk("text as message", 21, *TURNS), _0={"message": "x"}), ["Nice."],
     '"text as message"), message 1 is not a message but'),
    (talk("odd time", 22, ("user", "Hi.", {"create_time": "soon"})), ["Hi."], "has a date that cannot be read (soon)"),
]  # fmt: skip
UNREADABLE = [
    (None, "is not a message but null"), (7, "is not a message but 7"), ("text", "is not a message but"),
    ({}, "has no role"), ({"title": "null mapping", "mapping": None}, '"null mapping"'),
    ({"title": "text as mapping", "mapping": "x"}, '"text as mapping"'),
]  # fmt: skip
CONTENTS = [content for _, contents in READABLE for content in contents]
CONTENTS += [content for _, contents, _ in IN_PART for content in contents]


def export():
    """Everything in one list, newest first, with a repeated conversation and the unreadable ones in between."""
    conversations = [each[0] for each in [*READABLE, *IN_PART]][::-1]
    for place, (odd, _) in enumerate(UNREADABLE):
        conversations.insert(3 * place, odd)
    return [*conversations, READABLE[0][0]]


def write(path, value):
    text = json.dumps(value)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("export/conversations.json", text)
            archive.writestr("export/user.json", '{"id": "ada"}')
            archive.writestr("export/image.png", b"\x89PNG")
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["conversations.json", "export.zip"])
def test_every_oddity_in_one_export(tmp_path, name):
    path = write(tmp_path / name, export())
    with MemoryStore(tmp_path / "history.db", tz="UTC") as store:
        report = import_file(store, path)
        assert sorted(turn.content for turn in store.turns) == sorted(CONTENTS)
        times = [time for turn in store.turns if (time := parse_time(turn.timestamp))]
        assert times == sorted(times)
        by_title = {session.title: [turn.content for turn in session.turns] for session in store.sessions}
        for conversation, contents in READABLE[:-1]:
            assert by_title[conversation["title"]] == contents
        reasons = [reason for _, _, reason in IN_PART] + [reason for _, reason in UNREADABLE]
        for reason in reasons:
            assert any(reason in problem for problem in report.problems), reason
        surrogates = [problem for problem in report.problems if "not UTF-8" in problem]
        assert ["surrogate" in problem for problem in surrogates] == [True]
        assert report.unread == len(reasons) + 1
        again = import_file(store, path)
        assert (again.messages, again.problems, len(store)) == (0, report.problems, len(CONTENTS))


@pytest.mark.parametrize("name", ["conversations.json", "export.zip"])
def test_a_newer_export_with_one_conversation_grown_adds_only_what_is_new(tmp_path, name):
    older, newer = tmp_path / "older.json", tmp_path / name
    grown = talk("plain", 0, *TURNS, ("user", "She is three."), ("assistant", "A good age."))
    write(older, export())
    write(newer, [grown if each is READABLE[0][0] else each for each in export()])
    with MemoryStore(tmp_path / "history.db", tz="UTC") as store:
        import_file(store, older)
        report = import_file(store, newer)
        assert [turn.content for turn in list(store.turns)[-2:]] == ["She is three.", "A good age."]
        assert (report.messages, store.sessions[-1].title) == (2, "plain")
        assert import_file(store, newer).messages == import_file(store, older).messages == 0
