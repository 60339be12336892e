import json

import pytest

from rlm_memory_core.imports import HistoryFileError, read_messages

NOON = 1684584000.0  # 2023-05-20 12:00


def node(parent, role="user", parts=("Hi",), **more):
    content = {"content_type": "text", "parts": list(parts), **more}
    return {"parent": parent, "message": {"author": {"role": role}, "create_time": NOON, "content": content}}


def said(value):
    store = read_messages(json.dumps(value).encode(), "conversations.json")
    return [(session.date, [(turn.role, turn.content) for turn in session.turns]) for session in store.sessions]


def test_chatgpts_export_is_read_on_the_branch_that_was_shown():
    mapping = {
        "root": {"parent": None, "message": None},
        "empty": node("root", "system", [""]),
        "asked": node("empty", parts=[{"content_type": "image_asset_pointer"}, "Who is my cat?"]),
        "first": node("asked", "assistant", ["I don't know."]),
        "again": node("asked", "assistant", ["Mochi."]),
    }
    conversation = {"title": "x", "create_time": NOON, "current_node": "again", "mapping": mapping}
    other = {"create_time": NOON + 86_400, "mapping": {"a": node(None, "assistant", [], text="print(1)")}}
    assert said([conversation, other]) == [
        ("2023-05-20 12:00", [("user", "[image_asset_pointer]\nWho is my cat?"), ("assistant", "Mochi.")]),
        ("2023-05-21 12:00", [("assistant", "print(1)")]),
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"current_node": "gone"}, "entry 1 has no message 'gone' in its mapping"),
        ({"current_node": None}, "entry 1 has a mapping but no current_node"),
        ({"mapping": {"a": node("b"), "b": node("a")}, "current_node": "a"}, "entry 1 has no message 'a'"),
        ({"mapping": {}, "current_node": None}, "it has no message"),
    ],
    ids=str,
)
def test_an_export_that_is_broken_is_said(changes, line):
    conversation = {"mapping": {"a": node(None), "b": node(None)}, "current_node": "a", **changes}
    with pytest.raises(HistoryFileError, match=line):
        said([conversation])


def test_sharegpt_is_read():
    messages = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}, {"from": "tool", "value": "3"}]
    turns = [("user", "Hi"), ("assistant", "Hello!"), ("tool", "3")]
    assert said(messages) == said([{"id": "x", "conversations": messages}]) == [(None, turns)]
