"""What answers stand on, over a fourth of the paper's 100 questions: every quote is in its turn, word for word."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from rlm_memory_core import MemoryRLM, Reading, connect


@pytest.mark.slow
@pytest.mark.parametrize("reading", [Reading("paper", 2), Reading()], ids=["paper", "search"])
def test_every_quote_is_in_its_turn(longmemeval_s, reading, times):
    step = times(8, 1)
    engine = MemoryRLM(connect("offline", recorded="off"), reading=reading)

    def quoted(at):
        store = longmemeval_s[at].store()
        answer = engine.query(store, longmemeval_s[at].question, longmemeval_s[at].question_date)
        contents = {turn.index: (turn.session, turn.content) for turn in store.turns}
        for each in answer.evidence:
            session, content = contents[each.turn]
            assert (each.session, each.quote in content) == (session, True), (longmemeval_s[at].id, each.quote)
        assert answer.false_quotes == 0, longmemeval_s[at].id
        return len(answer.evidence)

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(quoted, range(0, len(longmemeval_s), step)))
    assert len(counts) == len(range(0, 100, step))
    assert sum(count > 0 for count in counts) >= 0.9 * len(counts)
