"""An endpoint without a store: the offline reader, or any model, behind OpenAI's API."""

import json
import urllib.error
import urllib.request

import openai
import pytest
from endpoints import running

from rlm_memory_core import connect
from rlm_memory_core.models import background

QUESTION = [{"role": "user", "content": "What is my cat called?"}]


@pytest.fixture(scope="module")
def url():
    with running() as base:
        yield base


@pytest.fixture
def client(url):
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def post(url, body):
    """Status and body of a raw request."""
    request = urllib.request.Request(url, data=body, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_the_openai_client_gets_an_answer(client):
    completion = client.chat.completions.create(model="offline", messages=QUESTION)
    assert completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens > 0


def test_the_answer_is_that_of_the_reader_without_a_server(url):
    served = background.run(connect("offline", url, recorded="off").complete(QUESTION))
    direct = background.run(connect("offline", recorded="off").complete(QUESTION))
    assert (served.text, served.usage) == (direct.text, direct.usage)


def test_the_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["offline"]


def test_a_stream_gives_the_same_text(client):
    whole = client.chat.completions.create(model="offline", messages=QUESTION).choices[0].message.content
    with client.chat.completions.create(model="offline", messages=QUESTION, stream=True) as stream:
        chunks = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(chunks) == whole


@pytest.mark.parametrize("body", [b"{not json", b"", b"[]", b"{}", b'{"messages": "text"}', b"\xff\xfe"])
def test_a_wrong_request_is_a_400_in_the_shape_of_openai(url, body):
    status, answer = post(f"{url}/chat/completions", body)
    assert status == 400
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["type"] == "invalid_request_error"


def test_another_path_is_a_404_that_the_client_understands(client):
    with pytest.raises(openai.NotFoundError, match="base_url ends with /v1"):
        client.embeddings.create(model="offline", input="text")


@pytest.mark.parametrize(("path", "body", "expected"), [("embeddings", b"{}", 404), ("chat/completions", None, 405)])
def test_another_method_or_path_is_an_error_in_the_shape_of_openai(url, path, body, expected):
    status, answer = post(f"{url}/{path}", body)
    assert (status, set(answer["error"])) == (expected, {"message", "type", "param", "code"})


def test_stopping_frees_the_port():
    with running() as base:
        pass
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{base}/models", timeout=5)
