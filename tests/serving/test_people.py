"""Nobody gets at the history of another person, in whatever way the person is named."""

import hashlib
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from endpoints import running, upstream

from rlm_memory_core import MemoryStore
from rlm_memory_core.serving.people import People

ADA = hashlib.sha256(b"ada").hexdigest()
SECRET = "The secret of ada is a blue door."


def asked(user=None, text="What do you know?", **more):
    return {"model": "m", "messages": [{"role": "user", "content": text}], **({"user": user} if user else {}), **more}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An endpoint to which ada has told her secret: its path, its address, and what the model saw since."""
    path = tmp_path_factory.mktemp("people") / "h.db"
    with upstream(lambda body: "ok") as (model, bodies), running(path, "m", model) as url:
        assert httpx2.post(f"{url}/chat/completions", json=asked("ada", SECRET), timeout=60).status_code == 200
        yield path, url, bodies


TRICKS = {
    "nobody": (asked(), {}),
    "an empty name in the header": (asked("ada"), {"X-Memory-User": ""}),
    "another name in the header": (asked("ada"), {"X-Memory-User": "bob"}),
    "two names in one header": (asked(), {"X-Memory-User": "bob, ada"}),
    "another name of the header": (asked(), {"X_Memory_User": "ada", "X-Memory-User-Id": "ada", "User": "ada"}),
    "the file of her store": (asked(ADA), {}),
    "the path of her store": (asked(f"h.db.people/{ADA}.db"), {}),
    "a way up and down": (asked(f"../h.db.people/{ADA}"), {}),
    "a name with a line break": (asked("ada\r\n"), {}),
    "a name with a zero-width space": (asked("ada\u200b"), {}),
    "full-width letters": (asked("ａｄａ"), {}),
    "Cyrillic letters": (asked("аdа"), {}),
    "a name in a list of fields": (asked(metadata={"user": "ada"}, safety_identifier="ada", X_Memory_User="ada"), {}),
    "a speaker of her name": (
        {"messages": [{"role": "user", "name": "ada", "content": "What do you know?"}], "user": "bob"},
        {},
    ),
    "her own message": (asked("bob", SECRET), {}),
    "a reply that continues her conversation": (
        {
            "messages": [
                {"role": "user", "content": SECRET}, {"role": "assistant", "content": "ok"},
                {"role": "user", "content": "And?"},
            ],
            "user": "eve",
        },
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_gets_no_other_history(served, trick):
    _, url, bodies = served
    bodies.clear()
    body, headers = TRICKS[trick]
    answer = httpx2.post(f"{url}/chat/completions", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    sent = json.dumps(bodies[-1]["messages"])
    assert sent.count("secret of ada") == json.dumps(body).count("secret of ada")


def test_two_names_in_two_headers_are_neither_of_them(served):
    _, url, bodies = served
    for other in ("bob", "ada"):
        headers = [("X-Memory-User", "ada"), ("X-Memory-User", other)]
        assert httpx2.post(f"{url}/chat/completions", json=asked(), headers=headers, timeout=60).status_code == 200
        assert "secret" not in json.dumps(bodies[-1]["messages"])


def test_bytes_that_are_no_text_name_a_person_of_their_own(served):
    _, url, bodies = served
    for name in (b"ad\xe4", "ad\u00e4".encode(), b"ada\xff"):
        httpx2.post(f"{url}/chat/completions", json=asked(), headers={"X-Memory-User": name}, timeout=60)
        assert "secret" not in json.dumps(bodies[-1]["messages"])


def test_requests_one_after_the_other_on_one_connection_have_each_a_person(served):
    _, url, bodies = served
    bodies.clear()
    host, port = url.split("/")[2].split(":")
    sent = b""
    for name in ("cy", "ada", "dan"):
        body = json.dumps(asked(name)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        sent += head.encode() + body
    with socket.create_connection((host, int(port)), timeout=60) as opened:
        opened.sendall(sent)
        got = b""
        while got.count(b"HTTP/1.1 200") < 3 or got.count(b'"usage"') < 3:
            got += (received := opened.recv(65_536))
            assert received, got
    assert ["secret" in json.dumps(body["messages"]) for body in bodies] == [False, True, False]


def test_a_name_given_twice_in_the_body_is_the_last_one(served):
    _, url, bodies = served
    content = json.dumps(asked("ada"))[:-1] + ', "user": "fay"}'
    httpx2.post(f"{url}/chat/completions", content=content, timeout=60)
    assert "secret" not in json.dumps(bodies[-1]["messages"])


def test_many_at_once_see_each_only_their_own(served):
    path, url, bodies = served
    names = [f"person {number}" for number in range(12)]
    with httpx2.Client(timeout=60) as client, ThreadPoolExecutor(12) as threads:

        def say(name):
            for text in (f"My word is <{name}>.", "Hello again.", "What is my word?"):
                assert client.post(f"{url}/chat/completions", json=asked(name, text)).status_code == 200

        bodies.clear()
        list(threads.map(say, names))
    for body in bodies:
        said = json.dumps(body["messages"])
        assert sum(f"<{name}>" in said for name in names) == 1 or "Hello again." in said or "my word?" in said
        assert sum(f"<{name}>" in said for name in names) <= 1
    for name in names:
        with MemoryStore(People(path).file(name)) as store:
            assert sum(f"<{name}>" in turn.content for turn in store.turns) == 1
            assert len(store) == 6
