"""What answers stand on, over the paper's 100 questions: every quote is in its turn, word for word."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from rlm_memory_core import MemoryRLM, Reading, connect
from rlm_memory_core.experiments.data.assets import DataUnavailable
from rlm_memory_core.experiments.data.longmemeval import load


@pytest.fixture(scope="module")
def samples():
    if not os.environ.get("RLM_MEMORY_DATA"):
        pytest.skip("RLM_MEMORY_DATA is not set, where LongMemEval-S would lie")
    try:
        return load("s")
    except DataUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize(("reading", "step"), [(Reading("paper", 2), 1), (Reading(), 4)], ids=["paper", "search"])
def test_every_quote_is_in_its_turn(samples, reading, step):
    engine = MemoryRLM(connect("offline", recorded="off"), reading=reading)

    def quoted(at):
        store = samples[at].store()
        answer = engine.query(store, samples[at].question, samples[at].question_date)
        contents = {turn.index: (turn.session, turn.content) for turn in store.turns}
        for each in answer.evidence:
            session, content = contents[each.turn]
            assert (each.session, each.quote in content) == (session, True), (samples[at].id, each.quote)
        assert answer.false_quotes == 0, samples[at].id
        return len(answer.evidence)

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(quoted, range(0, len(samples), step)))
    assert len(counts) == len(range(0, 100, step))
    assert sum(count > 0 for count in counts) >= 0.9 * len(counts)
