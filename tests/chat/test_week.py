"""A chat over a week on a difficult server: strict roles, thoughts in each reply, and one failed turn in the middle."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx2
import pytest

from rlm_memory_core import MemoryChat, MemoryStore, ModelError

ZONE = "America/Los_Angeles"  # in the evening, UTC is a day ahead
BEGIN = datetime(2023, 5, 20, 8, 30, tzinfo=ZoneInfo(ZONE))
MESSAGES = [
    (0, "I adopted a cat today."), (12, "I called her Mochi."), (24, "It rains."), (48, "I baked bread."),
    (60, "The bread was good."), (72, "THIS ONE FAILS."), (73, "Are you back?"), (96, "I fixed my bicycle."),
    (120, "I start a new job tomorrow."), (144, "What did I do this week?"),
]  # fmt: skip
FAILS = 5  # the place of the message that the server does not answer
SECRET = "The user wants a greeting"  # the thought


def strict(messages):
    """Return what is wrong with the order of roles, as chat templates of strict servers do."""
    roles = [message["role"] for message in messages]
    if "system" in roles[1:]:
        return "System message must be at the beginning."
    talk = roles[1:] if roles[0] == "system" else roles
    if talk != [("user", "assistant")[place % 2] for place in range(len(talk))] or len(talk) % 2 == 0:
        return "Conversation roles must alternate user/assistant/user/assistant/..."
    return ""


class Server:
    """Answers with a thought: between tags in every second reply, apart in the others."""

    def __init__(self, form, requests):
        self._form, self._requests = form, requests
        self.replies = 0

    def __call__(self, messages):
        if wrong := strict(messages):
            return httpx2.Response(400, json={"error": {"message": wrong}})
        if "THIS ONE FAILS" in messages[-1]["content"] and "Are you back" not in str(messages):
            return httpx2.Response(500, json={"error": {"message": "out of memory"}})
        self.replies += 1
        text = self._form.format(f"Reply {self.replies}.")
        message = {"content": text, "reasoning_content": SECRET}
        if self.replies % 2:
            message = {"content": f"<think>\n{SECRET}.\n</think>\n\n{text}"}
        if not self._requests[-1].get("stream"):
            return httpx2.Response(200, json={"choices": [{"message": message, "finish_reason": "stop"}]})
        pieces = [{name: said[at : at + 4]} for name, said in message.items() for at in range(0, len(said), 4)]
        pieces.sort(key=lambda piece: "content" in piece)  # servers stream thoughts first
        chunks = [{"choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=body)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("threshold", "form"), [(100_000, "{}"), (0, "FINAL({})")], ids=["normal", "memory"])
def test_a_week_with_strict_roles_thoughts_and_a_failed_turn(scripted, streams, threshold, form):
    server = Server(form, scripted.requests)
    now = [BEGIN]
    chat = MemoryChat(
        scripted(server), threshold, MemoryStore(tz=ZONE), system="Be brief.", clock=lambda: now[0].astimezone()
    )
    shown, answered = [], 0
    for place, (hours, message) in enumerate(MESSAGES):
        now[0] = BEGIN + timedelta(hours=hours)
        before = len(scripted.requests)
        if place == FAILS:
            with pytest.raises(ModelError, match="out of memory"):
                "".join(chat.stream(message)) if streams else chat.send(message)
            assert [turn.content for turn in chat.store.turns][-1] == message
            continue
        if streams:
            reply = chat.stream(message)
            shown += reply
            answer = reply.answer
        else:
            answer = chat.send(message)
            shown.append(answer.text)
        answered += 1
        assert chat.store.turns[-1].content == answer.text == f"Reply {server.replies}."
        assert answer.trace.steps[-1].thoughts.startswith(SECRET)
        days = {f"{BEGIN + timedelta(hours=each):%Y/%m/%d}" for each, _ in MESSAGES[:place]}
        for request in scripted.requests[before:]:
            prompt = str(request["messages"])
            assert f"{now[0]:%Y/%m/%d}" in prompt  # the current day, in the user's zone
            assert all(day in prompt for day in days) or threshold == 0  # of each session that it shows
    sent = json.dumps(scripted.requests)
    assert SECRET not in str(shown) + sent + chat.store.to_string()
    assert "think" not in str(shown) + chat.store.to_string()
    assert [turn.role for turn in chat.store.turns] == [
        role for place in range(len(MESSAGES)) for role in ("user", "assistant")[: 1 + (place != FAILS)]
    ]
    assert {session.date[:10] for session in chat.store.sessions if session.turns} == (
        {f"{BEGIN + timedelta(hours=hours):%Y/%m/%d}" for hours, _ in MESSAGES}
    )
    assert (answered, chat.stats()["failed"]) == (len(MESSAGES) - 1, 1)
