"""What real servers do to the baselines: thoughts in the reply, and a window that is too small."""

import httpx2
import pytest

from rlm_memory_core import ModelError
from rlm_memory_core.experiments.methods import make
from rlm_memory_core.experiments.score.answers import exact_match
from rlm_memory_core.experiments.types import ChatSession, ChatTurn, Sample
from rlm_memory_core.models import background

SESSION = ChatSession("2023/01/01 (Sun) 10:00", [ChatTurn("user", "My parrot is called Kiwi.")])
SAMPLE = Sample("q", "kind", "What is my parrot called?", "Kiwi", [SESSION], "2023/03/01 (Wed) 10:00")
BASELINES = ["truncation", "full-context", "rag"]


@pytest.mark.parametrize("name", BASELINES)
def test_a_thought_is_not_scored(scripted, name):
    for reply, expected in (("<think>Kiwi?</think>Mango", 0.0), ("<think>Mango?</think>Kiwi", 1.0)):
        (method,) = make([name], scripted([reply]), 16_000)
        prediction = background.run(method(SAMPLE))
        assert exact_match(prediction.text, SAMPLE.answer) == expected


@pytest.mark.parametrize("name", BASELINES)
def test_a_history_that_does_not_fit_is_one_line(scripted, name):
    refusal = httpx2.Response(400, json={"error": {"message": "context length exceeded: 40000 > 32768 tokens"}})
    (method,) = make([name], scripted(lambda messages: refusal), 16_000)
    with pytest.raises(ModelError, match="context length exceeded") as raised:
        background.run(method(SAMPLE))
    assert "\n" not in str(raised.value)
