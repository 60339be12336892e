from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from rlm_memory_core import MemoryRLM, connect
from rlm_memory_core.experiments.data import long_histories
from rlm_memory_core.experiments.show import first_steps
from rlm_memory_core.models.llm import OFFLINE_LABEL


@pytest.fixture
def sample():
    return long_histories.load(sessions=30, n_per_type=1)[1]


def test_the_offline_reader_is_always_at_hand(capsys):
    assert first_steps.at_hand().label == OFFLINE_LABEL
    assert capsys.readouterr().out == ""


def test_without_a_key_it_says_so_and_the_offline_reader_answers(capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert first_steps.at_hand("gpt-4o-mini").label == OFFLINE_LABEL
    told = capsys.readouterr().out
    assert told.startswith("There is no API key for gpt-4o-mini: set OPENAI_API_KEY")
    assert told.endswith("Until then the offline reader (no LLM) answers instead of gpt-4o-mini.\n")
    assert told.count("\n") == 1


def test_with_a_key_the_model_itself_answers(capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert first_steps.at_hand("gpt-4o-mini").label == "gpt-4o-mini"
    assert capsys.readouterr().out == ""


def test_where_no_server_answers_it_says_so(capsys):
    assert first_steps.at_hand("llama3.2", "http://127.0.0.1:9/v1").label == OFFLINE_LABEL
    assert capsys.readouterr().out.startswith("No server answers at http://127.0.0.1:9/v1 (")


def test_a_server_that_is_there_is_asked(capsys):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # answers 501, but answers
        Thread(target=server.serve_forever, daemon=True).start()
        assert first_steps.at_hand("llama3.2", f"http://127.0.0.1:{server.server_port}/v1").label == "llama3.2"
        server.shutdown()
    assert capsys.readouterr().out == ""


def test_answers_stand_beside_the_right_ones(sample):
    table = first_steps.answers(MemoryRLM(connect("offline")), [sample])
    row = table.iloc[0]
    assert (row["question"], row["right answer"]) == (sample.question, sample.answer)
    assert row["right answer"] in row["answer"]
    assert row["quotes"] > 0
    assert row["tokens"] > 0


def test_what_it_would_take_is_estimated_for_each_model_and_way_of_reading(sample):
    table = first_steps.what_it_would_take(sample.store(), ["gpt-4o-mini", "a model nobody has heard of"])
    assert list(table["model"]) == ["gpt-4o-mini"] * 2 + ["a model nobody has heard of"] * 2
    search, every = table.iloc[0], table.iloc[1]
    assert search["calls"] < every["calls"]
    assert search["tokens"] < every["tokens"]
    assert 0 < search["dollars"] < every["dollars"]
    assert table["dollars"].isna().tolist() == [False, False, True, True]
