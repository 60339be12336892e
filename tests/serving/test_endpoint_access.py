"""Who may use an endpoint, how much, and what it says to odd requests and of a model's faults."""

import asyncio
import gzip
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib

import httpx2
import openai
import pytest
from aiohttp import web
from endpoints import command, running, upstream

from rlm_memory_core import MemoryStore
from rlm_memory_core.serving import access
from rlm_memory_core.serving.access import Access

HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hi."}]}


def post(url, body=HELLO, path="/chat/completions", **options):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(url + path, content=content, timeout=60, **options)


def refused(answer, status, words=""):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert words in error["message"]
    return answer


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with running(tmp_path_factory.mktemp("store") / "h.db") as base:
        yield base


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.7", "example.org", "127.0.0.1.example.org"])
def test_an_address_that_others_reach_needs_a_key_and_a_name(host):
    with pytest.raises(ValueError, match="a token is needed"):
        Access(host)
    if host in ("0.0.0.0", "::", ""):
        with pytest.raises(ValueError, match="name those"):
            Access(host, "key")


@pytest.mark.parametrize("name", ["serve", "mcp"])
def test_the_command_refuses_to_start_without_a_key(tmp_path, name):
    if name == "mcp":
        pytest.importorskip("mcp")
    words = [name, "--host", "0.0.0.0", "--store", str(tmp_path / "h.db"), *(["--http", "0"] * (name == "mcp"))]
    done = subprocess.run(
        [sys.executable, "-m", "rlm_memory_core", *words], capture_output=True, text=True, timeout=60,
        env={name: value for name, value in os.environ.items() if name != access.TOKEN},
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "RLM_MEMORY_TOKEN" in done.stderr


def test_a_key_is_needed_for_everything_once_it_is_set(tmp_path):
    with running(tmp_path / "h.db", key="s3cret") as url:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "s3cret"},
            {"Authorization": "Basic s3cret"},
        ):
            refused(post(url, headers=headers), 401)
        refused(httpx2.get(f"{url}/models"), 401)
        refused(httpx2.get(f"{url}/elsewhere"), 401)
        with openai.OpenAI(base_url=url, api_key="s3cret", max_retries=0) as client:
            assert [model.id for model in client.models.list()] == ["offline"]
        with openai.OpenAI(base_url=url, api_key="wröng", max_retries=0) as client, pytest.raises(UnicodeEncodeError):
            client.models.list()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421), ({"Host": "localhost.evil.example"}, 421),
        ({"Host": "127.0.0.1@evil.example"}, 421),
        ({"Host": ""}, 421), ({"Host": "[::1"}, 421), ({"Host": "localhost:1"}, 200),
        ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
    ],
)  # fmt: skip
def test_a_web_page_of_another_site_cannot_use_it(url, headers, status):
    assert post(url, headers=headers).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"1", b"null", b'"x"', b"\xff", b'{"messages": []}', b'{"messages": "x"}',
        b'{"messages": [1]}',
        b'{"messages": ' + b"[" * 100_000,
        b'{"messages": [{"role": "user", "content": ' + b"[" * 50_000 + b"]" * 50_000 + b"}]}",
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "x"}], "\\udfff": 1}',
        b'{"messages": [{"role": "user", "content": "x"}], "seed": ' + b"9" * 5_000 + b"}",
        b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": "many"}',
        b'{"messages": [{"role": "user", "content": "x"}], "user": 7}',
        b'{"messages": [{"role": "user", "content": 7}]}', b'{"messages": [{"role": "user", "content": ["x"]}]}',
        b'{"messages": [{"role": 7, "content": "x"}]}', b'{"messages": [{"content": "x"}]}',
        b'{"messages": [{"role": "user", "content": "x", "name": 7}]}',
        b'{"messages": [{"role": "assistant", "content": null, "tool_calls": [7]}]}',
        b'{"messages": [{"role": "assistant", "content": null, "tool_calls": 7}]}',
        b'{"messages": [{"role": "assistant", "content": null, "tool_calls": [{"function": 7}]}]}',
        b'{"messages": [' + b'{"role": "user", "content": "x"},' * 10_000 + b'{"role": "user", "content": "x"}]}',
    ],
)  # fmt: skip
def test_an_odd_request_is_a_400_of_one_line(url, body):
    assert "\n" not in refused(post(url, body), 400).json()["error"]["message"]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": None}, {"role": "user"}, {"role": "user", "content": ""},
        {"role": "user", "content": []},
        {"role": "system", "content": "x"}, {"role": "critic", "content": "x"}, {"role": "tool", "content": "x"},
        {"role": "assistant", "tool_calls": [{}]},
        {"role": "user", "content": [{"type": 7}]}, {"role": "user", "content": "a\0b"},
        {"role": "user", "content": "x", "name": ""},
    ],
)  # fmt: skip
def test_an_odd_message_is_answered(url, message):
    assert post(url, {"messages": [message]}).status_code == 200
    assert post(url, {"messages": [message, {"role": "user", "content": "Who?"}], "stream": True}).status_code == 200


def test_other_paths_and_methods_are_told_in_the_shape_of_openai(url):
    refused(httpx2.get(f"{url}/embeddings"), 404, "Not Found")
    refused(httpx2.get(f"{url}/chat/completions"), 405, "Method Not Allowed")
    refused(httpx2.post(url.removesuffix("/v1") + "/chat/completions", json=HELLO), 404, "ends with /v1")


def test_large_bodies_are_refused_also_if_they_are_compressed(url):
    large = json.dumps(HELLO | {"x": "x" * 20_000_000}).encode()
    refused(post(url, large), 413)
    packer = zlib.compressobj(1, wbits=31)  # gzip; in pieces, so that this process never holds what it unpacks to
    bomb = b"".join(packer.compress(b" " * 1_000_000) for _ in range(300)) + packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = post(url, bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code in (400, 413)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB
    assert post(url, gzip.compress(json.dumps(HELLO).encode()), headers={"Content-Encoding": "gzip"}).status_code == 200
    assert post(url, b"no gzip", headers={"Content-Encoding": "gzip"}).status_code == 400


@pytest.mark.parametrize("key", ["s3cret\n", " s3cret \r\n"])
def test_blanks_around_the_key_do_not_count(key):
    access = Access("127.0.0.1", key)
    assert access.refusal({"host": "localhost", "authorization": "Bearer s3cret"}) is None
    assert access.refusal({"host": "localhost", "authorization": "Bearer wrong"})[0] == 401
    with pytest.raises(ValueError, match="a token is needed"):
        Access("192.0.2.7", " \n")


def test_the_header_goes_before_the_field(tmp_path):
    with running(tmp_path / "h.db") as url:
        assert post(url, HELLO | {"user": "bob"}, headers={"X-Memory-User": "ada"}).status_code == 200
        assert post(url, HELLO | {"user": "bob"}, headers={"X-Memory-User": "Zoë".encode()}).status_code == 200
        assert post(url, HELLO | {"user": "Zoë"}).status_code == 200
    counts = []
    for file in (tmp_path / "h.db.people").glob("*.db"):
        with MemoryStore(file) as store:
            counts.append(len(store))
    assert counts == [2, 2]  # ada, and Zoë, whose second greeting is the same as the first


def test_a_person_who_asks_too_often_is_told_when_to_come_again():
    with running(per_minute=3) as url:
        ada, bob = HELLO | {"user": "ada"}, HELLO | {"user": "bob"}
        assert [post(url, ada).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert 1 <= int(refused(post(url, ada), 429, "too many").headers["Retry-After"]) <= 60
        assert post(url, bob).status_code == 200


def test_connections_are_bounded(monkeypatch):
    monkeypatch.setattr("rlm_memory_core.serving.endpoint.CONNECTIONS", 5)
    with running() as url:
        place = url.split("/")[2].split(":")
        opened = [socket.create_connection((place[0], int(place[1])))]
        while not _refused(opened[-1]) and len(opened) < 20:
            opened.append(socket.create_connection((place[0], int(place[1]))))
        for each in opened:
            each.close()
    assert 4 <= len(opened) <= 6


def _refused(opened):
    opened.settimeout(0.5)
    try:
        return opened.recv(100).startswith(b"HTTP/1.1 429")
    except TimeoutError:
        return False


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (lambda: web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "7"}),
        429, "slow down"),
        (lambda: web.json_response({"error": {"message": "no such field"}}, status=422), 422, "no such field"),
        (lambda: web.json_response({"error": {"message": "bad key"}}, status=401), 502, "no answer"),
        (lambda: web.Response(text="<html><title>Oops</title></html>", status=500, content_type="text/html"),
        500, "Oops"),
        (lambda: web.Response(text="<html>Hello</html>"), 502, "no answer"),
        (lambda: web.json_response({"choices": []}), 502, ""),
        (lambda: web.json_response([1]), 502, ""),
    ],
)  # fmt: skip
def test_a_fault_of_the_model_is_told_and_nothing_is_stored(tmp_path, sent, status, words, streamed):
    with upstream(lambda body: sent()) as (model, _), running(tmp_path / "h.db", "m", model) as url:
        answer = refused(post(url, HELLO | {"stream": streamed}), status, words)
        assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)
    with MemoryStore(tmp_path / "h.db") as store:
        assert len(store) == 0


def test_a_model_that_is_not_there_is_a_502(tmp_path):
    with running(tmp_path / "h.db", "m", "http://127.0.0.1:9/v1") as url:
        told = refused(post(url), 502, "no answer").text
        assert "127.0.0.1" not in told
        assert "OPENAI_API_KEY" not in told


def events(*chunks):
    text = "".join(f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n" for chunk in chunks)
    return web.Response(text=text, content_type="text/event-stream")


def piece(text, finish=None):
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


@pytest.mark.parametrize(
    "last", [(), ({"error": {"message": "burst"}},), ("{no json",), ({"choices": 7},), ("[" * 5_000,)], ids=str
)
def test_a_stream_that_breaks_off_is_an_error_for_the_client_and_is_not_stored(tmp_path, last):
    with (
        upstream(lambda body: events(piece("Hel"), *last)) as (model, _),
        running(tmp_path / "h.db", "m", model) as url,
        openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client,
    ):
        stream = client.chat.completions.create(**HELLO, stream=True)
        assert next(stream).choices[0].delta.content == "Hel"
        with pytest.raises(openai.APIError):
            list(stream)
    with MemoryStore(tmp_path / "h.db") as store:
        assert len(store) == 0


def test_a_server_that_does_not_stream_is_heard_in_one_piece(tmp_path):
    with upstream(lambda body: whole("Hello!")) as (model, _), running(tmp_path / "h.db", "m", model) as url:
        client = openai.OpenAI(base_url=url, api_key="k")
        chunks = list(client.chat.completions.create(**HELLO, stream=True))
        client.close()
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["Hello!"]
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("said", [[], [piece("Let me look.")]])
def test_calls_of_tools_in_a_stream_that_was_not_asked_for_are_not_dropped(tmp_path, said):
    call = {"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    sent = events(*said, chunk, "[DONE]")
    with upstream(lambda body: sent) as (model, _), running(tmp_path / "h.db", "m", model) as url:
        refused(post(url), 502)


def test_a_server_that_sends_events_unasked_is_heard_whole(tmp_path):
    sent = events(piece("Hel"), piece("lo!", "stop"), "[DONE]")
    with upstream(lambda body: sent) as (model, _), running(tmp_path / "h.db", "m", model) as url:
        assert post(url).json()["choices"][0]["message"]["content"] == "Hello!"
    with MemoryStore(tmp_path / "h.db") as store:
        assert [turn.content for turn in store.turns] == ["Hi.", "Hello!"]


def whole(text, **fields):
    message = {"role": "assistant", "content": text}
    return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": "stop"} | fields]})


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("fields", [{"index": None}, {"index": 1}, {"finish_reason": None}], ids=str)
def test_a_reply_with_an_odd_index_or_without_a_reason_is_stored(tmp_path, fields, streamed):
    with upstream(lambda body: whole("Hello!", **fields)) as (model, _), running(tmp_path / "h.db", "m", model) as url:
        assert post(url, HELLO | {"stream": streamed}).status_code == 200
    with MemoryStore(tmp_path / "h.db") as store:
        assert [turn.content for turn in store.turns] == ["Hi.", "Hello!"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_goes_away_stops_the_call_and_nothing_is_stored(tmp_path, streamed):
    asked, ended = threading.Event(), threading.Event()

    async def slow():
        asked.set()
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()

    body = json.dumps(HELLO | {"stream": streamed})
    with upstream(lambda body: "never", slow) as (model, bodies), running(tmp_path / "h.db", "m", model) as url:
        host, port = url.split("/")[2].split(":")
        with socket.create_connection((host, int(port))) as leaving:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
            leaving.sendall((head + body).encode())
            assert asked.wait(60)
        assert ended.wait(60)
        assert len(bodies) == 1
    with MemoryStore(tmp_path / "h.db") as store:
        assert len(store) == 0


@pytest.fixture
def in_background():
    """Lets programs start with SIGINT ignored, as a shell starts those in its background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_background")
@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_stopped_finishes_what_is_under_way(tmp_path, signal_):
    asked, answer = threading.Event(), threading.Event()

    async def slow():
        asked.set()
        await asyncio.to_thread(answer.wait, 20)

    got = []
    path = tmp_path / "h.db"
    with (
        upstream(lambda body: "done", slow) as (model, _),
        command("--store", path, "--model", "m", "--base-url", model) as (url, process),
    ):
        asking = threading.Thread(target=lambda: got.append(post(url)))
        asking.start()
        asked.wait(20)
        process.send_signal(signal_)
        time.sleep(0.3)
        answer.set()
        asking.join(20)
        assert process.wait(20) == 0
    assert got[0].json()["choices"][0]["message"]["content"] == "done"
    with MemoryStore(path) as store:
        assert [turn.content for turn in store.turns] == ["Hi.", "done"]


def test_a_store_that_is_none_is_told_at_once_or_by_request(tmp_path):
    (tmp_path / "h.db").write_bytes(b"no database" * 100)
    with running(tmp_path / "other.db") as url:
        (tmp_path / "other.db.people").mkdir()
        from rlm_memory_core.serving.people import People

        People(tmp_path / "other.db").file("ada").write_bytes(b"no database" * 100)
        answer = refused(post(url, HELLO | {"user": "ada"}), 500)
        assert str(tmp_path) not in answer.text
        assert post(url, HELLO | {"user": "bob"}).status_code == 200
    done = subprocess.run(
        [sys.executable, "-m", "rlm_memory_core", "serve", "--port", "0", "--store", str(tmp_path / "h.db")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is not a history" in done.stderr


def test_a_connection_that_stays_silent_is_closed(monkeypatch):
    monkeypatch.setattr("rlm_memory_core.serving.endpoint.SILENCE", 0.2)
    with running(None, "offline") as url:
        host, port = url.split("/")[2].split(":")
        for said in (b"", b"GET /v1/models HTTP/1.1\r\nHost: 127"):
            with socket.create_connection((host, int(port)), timeout=20) as silent:
                silent.sendall(said)
                assert silent.recv(100) == b""


def test_a_connection_that_asked_is_kept_while_it_waits_and_after(monkeypatch):
    monkeypatch.setattr("rlm_memory_core.serving.endpoint.SILENCE", 3.0)
    waits = iter([3.3, 0.0])
    with (
        upstream(lambda body: "ok", lambda: asyncio.sleep(next(waits))) as (model, _),
        running(None, "m", model) as url,
    ):
        host, port = url.split("/")[2].split(":")
        body = json.dumps(HELLO)
        sent = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        with socket.create_connection((host, int(port)), timeout=60) as opened:
            for _ in range(2):
                opened.sendall(sent.encode())
                got = b""
                while b'"usage"' not in got:
                    got += (received := opened.recv(100_000))
                    assert received, got
                assert got.startswith(b"HTTP/1.1 200")
