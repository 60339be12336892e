"""A planted key and a planted password: no output of the package may hold them."""

import base64
import json
import traceback

import httpx2
import pytest
from asking import ask, refused

from rlm_memory_core import MemoryRLM, MemoryStore, ModelError, connect
from rlm_memory_core.models import background
from rlm_memory_core.models.streaming import Listener
from rlm_memory_core.models.wording import first_line

KEY = "planted-0123456789-key"
PASSWORD = "planted-password"
HI = [{"role": "user", "content": "hi"}]
ECHOES = [
    lambda: refused(401, f"no such key {KEY}"),
    lambda: refused(400, f"bad header Bearer {KEY}"),
    lambda: httpx2.Response(500, text="x" * 9_990 + KEY),
    lambda: httpx2.Response(502, text=f"<title>{KEY}</title>"),
    lambda: httpx2.Response(200, text=f"not json: {KEY}"),
    lambda: httpx2.Response(200, json={"choices": [{"message": {"content": None, "refusal": KEY}}]}),
    lambda: httpx2.ConnectError(f"cannot reach http://u:{PASSWORD}@host with {KEY}"),
    lambda: ValueError(f"header {KEY}"),
]  # fmt: skip


def everything_about(error):
    """The traceback with all causes and contexts, and their arguments."""
    told, seen = "".join(traceback.format_exception(error)), []
    while error is not None and error not in seen:
        seen.append(error)
        told += repr(error) + repr(vars(error))
        error = error.__cause__ or error.__context__
    return told


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("recorded", ["off", "auto"])
def test_no_error_holds_the_key(scripted, echo, streams, recorded):
    llm = scripted(lambda messages: echo(), api_key=KEY, recorded=recorded)
    listener = Listener(lambda piece: None) if streams else None
    with pytest.raises(ModelError) as caught:
        background.run(llm.complete(HI, None, listener))
    assert caught.value.__cause__ is caught.value.__context__ is None
    told = everything_about(caught.value)
    assert KEY not in told
    assert PASSWORD not in told


def test_no_file_or_page_holds_the_key_though_the_model_says_it(scripted, tmp_path):
    store = MemoryStore()
    store.add("user", "Hi.")
    llm = scripted([f"I was sent {KEY}.\n```repl\nprint(1)\n```", f"FINAL({KEY})"], api_key=KEY, recorded="auto")
    answer = MemoryRLM(llm).query(store, "What?")
    written = answer.trace.to_jsonl() + answer.trace.to_html() + str(answer) + repr(answer) + repr(llm)
    assert KEY not in written
    llm.close()
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files
    assert not any(KEY.encode() in path.read_bytes() for path in files)
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


@pytest.mark.parametrize(
    "url", ["ftp://u:{}@host/v1", "http://u:{}@/v1", "http://u:{}@host:x/v1", "http://h/v1?key={}"]
)
def test_an_address_that_is_refused_is_shown_without_its_secret(url):
    with pytest.raises(ValueError, match="no address") as caught:
        connect("m", url.format(PASSWORD))
    assert PASSWORD not in everything_about(caught.value)


def test_a_user_and_password_in_the_address_are_sent_and_not_told(fault_server):
    server = fault_server(lambda messages: "yes")
    url = server.url.replace("//", f"//ada:{PASSWORD}@")
    assert ask(connect("m", url, recorded="off")).text == "yes"
    gone = connect("m", f"http://ada:{PASSWORD}@127.0.0.1:9/v1", recorded="off")
    with pytest.raises(ModelError) as caught:
        background.run(gone.complete(HI))
    assert PASSWORD not in everything_about(caught.value)
    assert json.dumps(str(caught.value))


@pytest.mark.parametrize("write", [
    lambda text: text.replace("/", "\\/"),
    lambda text: text.replace("sk-", "\\u0073k-"),
    lambda text: "".join(f"\\u{ord(sign):04X}" if sign in "/+=" else sign for sign in text),
])  # fmt: skip
@pytest.mark.parametrize("status", [200, 403])
def test_a_key_that_json_writes_in_another_way_is_taken_out(scripted, as_completion, write, status):
    key = "sk-abc/def+ghi=="
    body = as_completion("KEY") if status == 200 else {"error": {"message": "KEY"}}
    reply = httpx2.Response(status, text=json.dumps(body).replace("KEY", write(key)))
    llm = scripted(lambda messages: reply, api_key=key)
    try:
        told = str(ask(llm))
    except ModelError as error:
        told = everything_about(error)
    assert key not in told
    assert "[key]" in told


def test_a_key_in_pieces_of_a_stream_is_neither_answered_nor_recorded(scripted, tmp_path):
    pieces = [KEY[:5], KEY[5:9], KEY[9:]]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    llm = scripted(lambda messages: httpx2.Response(200, text=text), api_key=KEY, recorded="auto")
    assert background.run(llm.complete(HI, None, Listener(lambda piece: None))).text == "[key]"
    llm.close()
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files
    assert not any(KEY.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize("secret", [PASSWORD, base64.b64encode(f"ada:{PASSWORD}".encode()).decode()])
def test_a_server_that_echoes_the_password_is_not_repeated(fault_server, secret):
    server = fault_server(lambda messages: f"You sent {secret}.")
    url = server.url.replace("//", f"//ada:{PASSWORD}@")
    assert secret not in ask(connect("m", url, recorded="off")).text
    assert secret not in first_line(f"refused Basic {secret} at {url}", PASSWORD)
