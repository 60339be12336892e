import asyncio
import sqlite3
import threading

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.search.find import find_turns
from rlm_memory_core.store.memory_store import StoreError
from rlm_memory_core.store.time_limit import in_search_thread

_FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < 0"


@pytest.fixture
def store():
    with MemoryStore() as store:
        store.add("user", "My cat is called Mochi.")
        yield store


def test_a_search_that_takes_too_long_is_ended_and_says_so(store):
    with pytest.raises(TimeoutError, match=r"more than 0\.05 s"):
        asyncio.run(in_search_thread(store.query, 0.05)(_FOREVER))
    assert store.search_history("cat")  # the store is as it was


def test_a_search_that_waits_for_another_process_is_ended_too(tmp_path):
    with MemoryStore(tmp_path / "h.db") as store, sqlite3.connect(tmp_path / "h.db", isolation_level=None) as other:
        store.add("user", "My cat is called Mochi.")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TimeoutError):
            asyncio.run(in_search_thread(find_turns, 0.05)(store, ["cat"]))
        other.execute("ROLLBACK")
        assert len(find_turns(store, ["cat"]).hits) == 1
    other.close()


def test_the_limit_is_that_of_one_search(store):
    async def searches():
        with pytest.raises(TimeoutError):
            await in_search_thread(store.query, 0.05)(_FOREVER)
        return await in_search_thread(store.search_history)("cat")

    assert [turn.index for turn in asyncio.run(searches())] == [1]


def test_many_slow_searches_leave_the_threads_of_others_free():
    async def race():
        ended = threading.Event()
        slow = [asyncio.create_task(in_search_thread(ended.wait)()) for _ in range(40)]
        await asyncio.sleep(0)
        other = await asyncio.to_thread(lambda: "done")
        assert not any(task.done() for task in slow)
        ended.set()
        await asyncio.gather(*slow)
        return other

    assert asyncio.run(race()) == "done"


def test_other_errors_of_the_database_stay_as_they_are(store):
    with pytest.raises(StoreError):
        asyncio.run(in_search_thread(store.query)("SELECT 1 FROM missing_table"))
