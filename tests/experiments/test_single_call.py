import math

import httpx2
import pytest

from rlm_memory_core import Budget, MemoryStore, connect
from rlm_memory_core.experiments.methods import TOP, TURN_CHARACTERS, by_cosine, excerpt, make, with_neighbours
from rlm_memory_core.experiments.types import ChatSession, ChatTurn, Sample
from rlm_memory_core.models import background

LINES = [f"Nothing happened on day {day}." for day in range(200)]
LINES[7] = "My parrot is called Kiwi."


@pytest.fixture
def sample():
    turns = [ChatTurn("user", line) for line in LINES]
    sessions = [ChatSession("2023/01/01 (Sun) 10:00", turns[:100]), ChatSession("2023/02/01 (Wed) 10:00", turns[100:])]
    return Sample("q", "kind", "What is my parrot called?", "Kiwi", sessions, "2023/03/01 (Wed) 10:00")


def ask(llm, sample, budget=None, embedding_model=""):
    (method,) = make(["rag"], llm, 16_000, budget, embedding_model)
    return background.run(method(sample))


def asked(scripted):
    """The history that the model was shown."""
    return scripted.conversation[1]["content"].partition("<history>\n")[2].partition("\n</history>")[0]


@pytest.fixture
def embedded(scripted, as_completion):
    """A server that embeds by topic: what speaks of a parrot, and all the rest by its length."""

    def answer(sent):
        if isinstance(sent[0], dict):
            return "Kiwi"
        vectors = [[1.0, 0.0] if "parrot" in text else [0.0, float(len(text))] for text in sent]
        rows = [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        return httpx2.Response(200, json={"object": "list", "data": rows, "usage": {"prompt_tokens": len(sent)}})

    return scripted(answer, rates=(1.0, 1.0))


def test_the_turn_that_matches_is_read_with_its_neighbours(scripted, sample):
    prediction = ask(scripted(["Kiwi"]), sample)
    assert prediction.text == "Kiwi"
    assert "[Turn 7][user]: Nothing happened on day 6.\n[Turn 8][user]: My parrot is called Kiwi.\n[Turn 9]" in asked(
        scripted
    )


def test_at_most_the_top_turns_and_their_neighbours_are_read_in_order(scripted, sample):
    ask(scripted(["Kiwi"]), sample)
    read = [line for line in asked(scripted).splitlines() if line.startswith("[Turn")]
    assert TOP <= len(read) <= 3 * TOP
    numbers = [int(line.split("]")[0].removeprefix("[Turn ")) for line in read]
    assert numbers == sorted(set(numbers))


def test_dates_stand_above_their_turns(scripted, sample):
    ask(scripted(["Kiwi"]), sample)
    lines = asked(scripted).splitlines()
    assert lines[0] == "[--- Session 1 | 2023/01/01 (Sun) 10:00 ---]"
    assert "2023/03/01 (Wed) 10:00" in scripted.conversation[1]["content"]


def test_the_offline_reader_answers_from_what_was_retrieved(sample):
    assert "Kiwi" in ask(connect("offline"), sample).text


def test_one_call_is_counted(scripted, sample):
    prediction = ask(scripted(["Kiwi"], rates=(1.0, 1.0)), sample)
    assert prediction.calls == 1
    assert prediction.completion_tokens == len("Kiwi")
    assert prediction.cost_usd == prediction.prompt_tokens + prediction.completion_tokens


def test_with_an_embedding_model_turns_are_ranked_by_it(embedded, scripted, sample):
    ask(embedded, sample, embedding_model="embedder")
    assert [request["model"] for request in scripted.requests] == ["embedder", "scripted"]
    assert scripted.requests[0]["input"][:2] == ["What is my parrot called?", LINES[0]]
    assert "Kiwi" in asked(scripted)


def test_embeddings_are_counted_and_charged(embedded, sample):
    budget = Budget()
    prediction = ask(embedded, sample, budget, "embedder")
    assert prediction.calls == budget.spent.calls == 2
    assert prediction.prompt_tokens == budget.spent.prompt_tokens > 201
    assert prediction.cost_usd is None  # nobody knows the price of "embedder"


def test_turns_are_cut(embedded, scripted):
    long = Sample("q", "k", "Which parrot?", "Kiwi", [ChatSession(None, [ChatTurn("user", "parrot " * 1000)])])
    ask(embedded, long, embedding_model="embedder")
    assert len(scripted.requests[0]["input"][1]) == TURN_CHARACTERS
    assert len(asked(scripted)) == TURN_CHARACTERS + len("[Turn 1][user]: ")


def test_an_embedding_model_beside_the_offline_reader_is_refused():
    with pytest.raises(ValueError, match="offline reader has no embeddings: leave embedding_model empty"):
        make(["rag"], connect("offline"), 16_000, embedding_model="text-embedding-3-small")


def test_an_empty_history_can_be_asked(embedded, scripted):
    nothing = Sample("q", "k", "Which parrot?", "", [])
    for model in ("", "embedder"):
        assert ask(embedded, nothing, embedding_model=model).text == "Kiwi"
        assert asked(scripted) == ""


def test_cosine_looks_at_directions_and_keeps_the_order_of_equals():
    assert by_cosine([[0, 9], [3, 3], [0, 0], [5, 5], [-1, 0]], [1, 0]) == [1, 3, 0, 2, 4]
    assert by_cosine([], [1, 0]) == []
    turned = [[math.cos(angle), math.sin(angle)] for angle in (2.0, 0.5, 1.0)]
    assert by_cosine(turned, [1, 0]) == [1, 2, 0]


def test_neighbours_stay_within_the_history():
    assert with_neighbours([0, 5, 6, 9], 10) == [0, 1, 4, 5, 6, 7, 8, 9]
    assert with_neighbours([0], 1) == [0]


def test_an_excerpt_of_everything_is_the_history():
    store = MemoryStore()
    store.add("user", "before any session")
    for date in (None, "2023/01/01"):
        store.start_session(date)
        store.add("user", "said")
    assert excerpt(store, range(len(store))) == store.to_string()
