import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.views.store_summary import summarise


def test_a_small_history_is_summed_up_whole(diary):
    summary = summarise(diary)
    assert summary.sizes == f"3 sessions, 6 turns, {diary.characters()} characters"
    assert summary.dates == "from 2023/05/20 (Sat) 02:21 to 2023/07/04 (Tue) 18:30"
    assert summary.speakers == "assistant, user"
    assert [line.opening for line in summary.first] == [
        "My cat is called Mochi.",
        "I bought a red bicycle.",
        "I moved to Lisbon.",
    ]
    assert [line.turns for line in summary.first] == [2, 2, 2]
    assert (summary.last, summary.left_out) == ((), 0)


@pytest.mark.parametrize(("sessions", "first", "last"), [(1, [1], []), (4, [1, 2, 3], [4]), (9, [1, 2, 3], [7, 8, 9])])
def test_both_ends_are_shown_and_no_session_twice(store, sessions, first, last):
    for number in range(sessions):
        store.start_session()
        store.add("user", f"number {number}")
    summary = summarise(store)
    assert [line.number for line in summary.first] == first
    assert [line.number for line in summary.last] == last
    assert summary.left_out == sessions - len(first) - len(last)


def test_roles_of_a_long_history_are_those_at_its_ends_and_it_says_so(store):
    store.extend([("user", "a")] * 1_500 + [("narrator", "b")] + [("user", "c")] * 1_500)
    assert summarise(store).speakers == "user (in the first and the last 1,000 turns)"
    assert "in the first and the last 1,000 turns" in str(store)


def test_one_date_is_said_once(store):
    store.start_session()
    store.start_session("2023/05/20")
    assert summarise(store).dates == "of 2023/05/20"
    assert "of 2023/05/20" in store._repr_html_()


def test_an_empty_history_and_an_empty_session_can_be_shown(store):
    assert str(store) == "history in memory: 0 sessions, 0 turns, 0 characters"
    assert "0 sessions" in store._repr_html_()
    store.start_session()
    assert "session 1 | 0 turns" in str(store)
    assert "<td" in store._repr_html_()


def test_nothing_that_was_said_becomes_part_of_the_page(store, parsed):
    store.start_session('2023"><script>alert(1)</script>')
    store.add("<img src=x>", "<script>alert(2)</script>\x1b[31m \u202egnp.exe")
    page = parsed(store._repr_html_())
    assert not {"script", "img"} & set(page.tags)
    assert "<script>alert(2)</script>\\x1b[31m \\u202egnp.exe" in page.text
    assert "\x1b" not in str(store)


def test_a_long_history_takes_no_more_room_than_a_short_one(store):
    store.add("user", "x" * 10_000_000)
    for _ in range(200):
        store.start_session("y" * 10_000)
        store.extend([(f"role {number}" * 100, "words " * 1_000) for number in range(3)])
    assert len(store._repr_html_()) < 12_000
    assert len(str(store)) < 6_000


def test_a_closed_history_says_so():
    store = MemoryStore()
    store.close()
    assert (repr(store), str(store), store._repr_html_()) == ("<MemoryStore in memory: closed>",) * 2 + (None,)
