import pickle

import httpx2
import pytest
from asking import HI, ask, refused

from rlm_memory_core import ModelError, Usage, connect
from rlm_memory_core.models import llm, openai_backend
from rlm_memory_core.models.call_store import CallStore


def test_an_answer_comes_with_its_usage_and_cost(scripted):
    reply = ask(scripted(["  yes "], rates=(0.5, 2.0)))
    assert (reply.text, reply.usage, reply.cost_usd, reply.recorded) == ("  yes ", Usage(2, 6, 1), 13.0, False)
    assert reply.seconds >= 0


def test_what_is_sent(scripted):
    ask(scripted(["yes"], "some-model"))
    ask(scripted(["yes"], temperature=None))
    assert scripted.requests[0] == {"model": "some-model", "messages": HI, "temperature": 0.0, "max_tokens": 8_192}
    assert "temperature" not in scripted.requests[1]


def test_a_missing_key_is_told_in_one_line_before_anything_is_sent(scripted):
    model = connect("gpt-4o-mini", recorded="off")
    for _ in range(2):
        with pytest.raises(ModelError, match="OPENAI_API_KEY") as caught:
            ask(model)
    assert "\n" not in str(caught.value)
    assert scripted.requests == []


@pytest.mark.parametrize(
    ("key", "sign"), [("sk-abc\u2026", "'\u2026'"), ("sk-\u0430bcdefgh", "'\u0430'"), ("sk-abc\n", r"'\n'")]
)
@pytest.mark.parametrize("named", [True, False])
def test_a_key_that_cannot_be_sent_is_named_in_one_line(scripted, monkeypatch, key, sign, named):
    if not named:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelError) as caught:
        ask(scripted(["yes"], api_key=key if named else None))
    assert str(caught.value).startswith(
        f"{'the api_key' if named else 'OPENAI_API_KEY'} holds {sign}, which no key does"
    )
    assert key[:6] not in str(caught.value)
    assert scripted.requests == []


def test_a_missing_key_leaves_nothing_open(scripted, monkeypatch):
    opened = []
    monkeypatch.setattr(CallStore, "__init__", lambda self, path: opened.append(path))
    with pytest.raises(ModelError):
        ask(connect("gpt-4o-mini"))
    assert opened == []


def test_the_key_comes_from_the_environment_at_the_first_call(scripted, monkeypatch, as_completion):
    sent = []

    def server(request):
        sent.append(request)
        return httpx2.Response(200, json=as_completion("yes"))

    monkeypatch.setattr(
        openai_backend, "http_client", lambda timeout: httpx2.AsyncClient(transport=httpx2.MockTransport(server))
    )
    model = connect("gpt-4o-mini", recorded="off")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert ask(model).text == "yes"
    assert sent[0].headers["authorization"] == "Bearer secret"
    assert str(sent[0].url) == "https://api.openai.com/v1/chat/completions"


def test_a_local_server_needs_no_key(scripted):
    assert ask(scripted(["yes"], api_key=None)).text == "yes"


def test_temperature_is_dropped_for_a_server_that_rejects_it_and_stays_dropped(scripted):
    model = scripted([refused(400, "Unsupported value: 'temperature'"), "one", "two"])
    assert [ask(model).text, ask(model).text] == ["one", "two"]
    assert ["temperature" in request for request in scripted.requests] == [True, False, False]


def test_an_answer_that_was_cut_off_says_so(scripted, as_completion):
    choice = {"index": 0, "message": {"role": "assistant", "content": "half an"}, "finish_reason": "length"}
    model = scripted([httpx2.Response(200, json=as_completion("", choices=[choice])), "whole"])
    assert [(reply.text, reply.cut) for reply in (ask(model), ask(model))] == [("half an", True), ("whole", False)]


@pytest.mark.parametrize(
    ("model", "label"), [(connect(), "offline reader (no LLM)"), (connect("gpt-4o-mini"), "gpt-4o-mini")]
)
def test_the_label_never_shows_the_offline_reader_as_a_model(model, label):
    assert model.label == label


def test_the_offline_reader_answers_without_a_key_and_costs_nothing():
    reply = ask(connect("offline", recorded="off"))
    assert reply.text
    assert reply.cost_usd == 0.0


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://localhost:11434/v1", True), ("http://127.0.0.1/v1", True), ("http://[::1]:1/v1", True), (None, False),
     ("https://localhost.example.com/v1", False)],
)  # fmt: skip
def test_servers_on_this_machine_are_local(url, local):
    assert connect("m", url).is_local is local


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": ""},
        {"recorded": "always"},
        {"recorded": None},
        {"concurrency": 0},
        {"requests_per_minute": 0.5},
        {"tokens_per_minute": -1},
    ],
)
def test_wrong_arguments_are_refused_at_once(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        connect(**wrong)


def test_a_model_is_sent_without_its_key_and_is_one_for_all_that_is_sent():
    model = connect(
        "m", "http://model.test/v1", "a-secret", "replay", temperature=0.5, timeout=7, rates=(1.0, 2.0),
        concurrency=9, requests_per_minute=60, tokens_per_minute=1e6,
    )  # fmt: skip
    sent = pickle.dumps(model)
    assert b"a-secret" not in sent
    received = pickle.loads(sent)
    assert pickle.loads(sent) is received
    assert vars(received) == {**vars(model), "api_key": None}


def test_a_model_that_was_sent_keeps_its_calls_where_it_arrives(scripted, tmp_path, monkeypatch):
    model = scripted(lambda messages: "yes", recorded="auto")
    ask(model)
    sent = pickle.dumps(model)  # its client stays behind
    monkeypatch.setenv("RLM_MEMORY_CACHE", str(tmp_path / "elsewhere"))
    llm._received.cache_clear()
    ask(pickle.loads(sent))
    llm._received.cache_clear()
    assert (tmp_path / "elsewhere" / "calls.sqlite").is_file()


@pytest.mark.parametrize("base_url", ["http://a.test/v1?api-version=2", "http://a.test/v1#part", "http:///v1"])
def test_an_address_that_no_path_can_be_put_behind_is_refused(base_url):
    with pytest.raises(ValueError, match="is no address"):
        connect("some-model", base_url)


@pytest.mark.parametrize("base_url", ["http://a.test/v1", "http://a.test/v1/"])
def test_a_call_goes_to_its_path_behind_the_address(base_url, scripted, monkeypatch):  # which forbids retries
    asked = []

    def note(request):
        asked.append(str(request.url))
        return httpx2.Response(500)

    monkeypatch.setattr(
        openai_backend, "http_client", lambda timeout: httpx2.AsyncClient(transport=httpx2.MockTransport(note))
    )
    model = connect("some-model", base_url, "none", recorded="off")
    with pytest.raises(ModelError):
        ask(model)
    assert set(asked) == {"http://a.test/v1/chat/completions"}
