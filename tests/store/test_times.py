import asyncio
import warnings
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rlm_memory_core import MemoryChat, MemoryStore, StoreError
from rlm_memory_core.search import rank_sessions
from rlm_memory_core.store.times import parse_time

LA = "America/Los_Angeles"


def dates(store):
    return [(session.date, len(session.turns)) for session in store.sessions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-05-20T02:21:00Z", "2023-05-20 02:21:00+00:00"),
        ("2023-05-20T02:21:00.123-07:00", "2023-05-20 02:21:00.123000-07:00"),
        ("2023/05/20 (Sat) 02:21", "2023-05-20 02:21:00"),
        ("1:56 pm on 8 May, 2023", "2023-05-08 13:56:00"),
        ("2023/5/20, 12:05 AM", "2023-05-20 00:05:00"),
        ("Sat, 20 May 2023 02:21:00 +0530", "2023-05-20 02:21:00+05:30"),
        ("20.05.2023 14:05 UTC", "2023-05-20 14:05:00+00:00"),
        ("8 May 2023, 2:00-3:00 pm", "2023-05-08 02:00:00"),
        ("20.05.2023 14:30-16:00", "2023-05-20 14:30:00"),
        ("5/20/99", "1999-05-20 00:00:00"),
        ("2023-05-20", "2023-05-20 00:00:00"),
        ("2023-05-20 25:00", "2023-05-20 00:00:00"),
        ("Sat May 20 2023 10:00:00 GMT+0200 (CEST)", "2023-05-20 10:00:00+02:00"),
        ("May 20th, 2023 3pm", "2023-05-20 15:00:00"),
        ("2023年5月20日 10:00", "2023-05-20 10:00:00"),
        ("2023년 5월 20일 10:00", "2023-05-20 10:00:00"),
        ("2023. 5. 20. 오후 3:05", "2023-05-20 15:05:00"),
        ("2023년 5월 20일 오전 12시 5분", "2023-05-20 00:05:00"),
        ("2023年5月20日 午後3時05分09秒", "2023-05-20 15:05:09"),
        ("2023年5月20日下午3点", "2023-05-20 15:00:00"),
        ("2023/5/20 午前10:05", "2023-05-20 10:05:00"),
        ("２０２３-05-20　10：00", "2023-05-20 10:00:00"),
        ("٢٠٢٣-٠٥-٢٠ ١٠:٠٠", "2023-05-20 10:00:00"),
        ("May 20, 2023 at 10:06:07 p. m.", "2023-05-20 22:06:07"),
        ("2024-5-20 @10h 05m 12s 123ms", "2024-05-20 10:05:12"),
        ("[5/20/23, 10:05:33\u202fPM]", "2023-05-20 22:05:33"),
        ("20.05.23, 22:15 Uhr", "2023-05-20 22:15:00"),
        ("2023-05-20T10:00:00\u221207:00", "2023-05-20 10:00:00-07:00"),
        ("20 May 2023 10:00 \u22120330", "2023-05-20 10:00:00-03:30"),
        ("2023-05-20 10:00 GMT+2", "2023-05-20 10:00:00+02:00"),
        ("2023-05-20T10:00:00 PST", "2023-05-20 10:00:00"),  # only UTC is read by its name
        ("Sat May 20 10:00:00 CEST 2023", "2023-05-20 10:00:00"),
        ("Sat May 20 10:00:00 +0200 2023", "2023-05-20 10:00:00+02:00"),
        ("Sat, 20 May 2023 10:00:00 GMT", "2023-05-20 10:00:00+00:00"),
        ("2023-05-20 9 a.m. JST", "2023-05-20 09:00:00"),
        ("2023-05-20T10:00:00 Europe/Berlin", "2023-05-20 10:00:00"),
        ("2023-05-20T10:00:00-07:00[America/Los_Angeles]", "2023-05-20 10:00:00-07:00"),
        ("2023-05-20 24:00", "2023-05-21 00:00:00"),
        ("2023-05-20T10Z", "2023-05-20 10:00:00+00:00"),
        ("2023-W20-6T10:00:00", "2023-05-20 10:00:00"),
        ("2023-05-20 10:00 - 11:00", "2023-05-20 10:00:00"),
        ("1999", "None"),
        ("soon", "None"),
        ("", "None"),
        ("0001-01-01T00:00:00Z", "None"),
        ("9999-12-31T23:59:59Z", "None"),
        ("1" * 5000, "None"),
    ],
)
def test_times_are_read_as_people_and_servers_write_them(text, expected):
    assert str(parse_time(text)) == expected


def test_a_session_begins_on_another_day_and_after_four_hours_of_silence():
    store = MemoryStore()
    for time in ("09:00", "12:59", "16:58", "20:58", "23:59"):
        store.add("user", time, f"2023-05-20T{time}:00")
    store.add("user", "0:01", "2023-05-21T00:01:00")
    assert dates(store) == [("2023/05/20 (Sat) 09:00", 3), ("2023/05/20 (Sat) 20:58", 2), ("2023/05/21 (Sun) 00:01", 1)]
    assert "[--- Session 2 | 2023/05/20 (Sat) 20:58 ---]" in store.to_string()


def test_the_silence_is_the_users_to_choose():
    store = MemoryStore(gap=timedelta(minutes=30))
    for time in ("09:00", "09:29", "10:00"):
        store.add("user", time, f"2023-05-20T{time}:00")
    assert [count for _, count in dates(store)] == [2, 1]


@pytest.mark.parametrize("tz", [LA, ZoneInfo(LA)])
def test_the_day_is_the_users_not_that_of_utc(tz):
    store = MemoryStore(tz=tz)
    store.add("user", "evening", "2023-05-21T02:59:00Z")
    store.add("user", "later that evening", datetime(2023, 5, 21, 6, 30, tzinfo=UTC))
    store.add("user", "after midnight", "2023-05-21T07:10:00+00:00")
    assert dates(store) == [("2023/05/20 (Sat) 19:59", 2), ("2023/05/21 (Sun) 00:10", 1)]


@pytest.mark.parametrize(
    ("tz", "times", "expected"),
    [
        (LA, ["2023-11-05T08:30:00Z", "2023-11-05T09:30:00Z", "2023-11-05T12:00:00Z"], [("2023/11/05 (Sun) 01:30", 3)]),
        (LA, ["2023-11-05T07:00:00Z", "2023-11-05T11:30:00Z"],
         [("2023/11/05 (Sun) 00:00", 1), ("2023/11/05 (Sun) 03:30", 1)]),
        ("Europe/Berlin", ["2023-05-20T10:00:00+02:00", "2023-05-20T01:45:00-07:00"], [("2023/05/20 (Sat) 10:00", 2)]),
        ("Asia/Kathmandu", ["2023-05-20T18:10:00Z", "2023-05-20T18:20:00Z"],
         [("2023/05/20 (Sat) 23:55", 1), ("2023/05/21 (Sun) 00:05", 1)]),
        (LA, ["2023-05-21T00:00:00Z"], [("2023/05/20 (Sat) 17:00", 1)]),
    ],
)  # fmt: skip
def test_days_and_silences_where_clocks_change_and_far_from_greenwich(tz, times, expected):
    store = MemoryStore(tz=tz)
    for time in times:
        store.add("user", time, time)
    assert dates(store) == expected


def test_times_with_and_without_a_zone_are_kept_apart_and_the_turn_says_which():
    store = MemoryStore(tz="UTC")
    times = ("2023-05-20T09:00:00", "2023-05-20T09:05:00Z", "2023-05-20T09:10:00+00:00", "2023/05/20 09:15")
    turns = [store.add("user", "Hi", time) for time in times]
    assert [turn.time.tzinfo is not None for turn in turns] == [False, True, True, False]
    assert [turn.session for turn in turns] == [1, 2, 2, 3]
    assert {date[:10] for date, _ in dates(store)} == {"2023/05/20"}


def test_turns_whose_time_is_not_given_join_the_session():
    store = MemoryStore()
    store.start_session("2023/05/20 (Sat) 02:21")
    store.extend([("user", "a"), ("assistant", "b")])
    store.add("user", "c")
    assert dates(store) == [("2023/05/20 (Sat) 02:21", 3)]


def test_a_started_session_takes_the_date_of_its_first_turn_unless_it_has_one():
    store = MemoryStore(tz="UTC")
    store.start_session()
    store.add("user", "a", "2023-05-20T09:00:00Z")
    store.start_session("spring")
    store.add("user", "b", "2023-05-20T09:00:00Z")
    store.add("user", "c", "2023-05-21T09:00:00Z")
    assert dates(store) == [("2023/05/20 (Sat) 09:00", 1), ("spring", 1), ("2023/05/21 (Sun) 09:00", 1)]


def test_a_history_without_times_is_not_dated_today_when_it_goes_on():
    store = MemoryStore()
    store.start_session("2023/05/20 (Sat) 02:21")
    store.add("user", "then")
    store.add("user", "now", datetime.now(UTC))
    assert [count for _, count in dates(store)] == [1, 1]
    undated = MemoryStore()
    undated.add("user", "then")
    undated.add("user", "now", "2026-01-01T10:00:00")
    assert dates(undated) == [(None, 1), ("2026/01/01 (Thu) 10:00", 1)]


def test_days_without_a_time_of_day_are_days():
    store = MemoryStore()
    for day in ("2023-05-20", "2023-05-20 15:00", "2023-05-20", "2023-05-21"):
        store.add("user", day, day)
    assert dates(store) == [("2023/05/20 (Sat)", 3), ("2023/05/21 (Sun)", 1)]


def test_reopening_goes_on_where_the_last_session_ended(tmp_path):
    for time in ("09:00", "10:00", "18:00"):
        with MemoryStore(tmp_path / "h.db") as store:
            store.add("user", time, f"2023-05-20T{time}:00")
    with MemoryStore(tmp_path / "h.db") as store:
        assert [count for _, count in dates(store)] == [2, 1]


@pytest.mark.parametrize("odd", ["soon", "next Monday", "2023-02-30", "99.99.2023", "Day 1"])
def test_a_date_that_cannot_be_read_is_kept_with_a_warning(store, odd):
    warned = pytest.warns(UserWarning, match="cannot be read as a date; write 2023-05-30")
    with warned:
        store.start_session(odd)
    with warned:
        turn = store.add("user", "Hi", odd)
    with warned:
        rank_sessions(store, "Hi?", odd)
    assert (store.sessions[0].date, turn.timestamp, turn.time) == (odd, odd, None)


@pytest.mark.parametrize(("odd", "day"), [("23/12/31", "2031-12-23"), ("20.05.23", "2023-05-20"), ("5/6/99", "1999")])
def test_a_year_that_is_a_guess_is_told(store, odd, day):
    with pytest.warns(UserWarning, match=rf"'{odd}' is read as {day}.*write the year with four digits"):
        turn = store.add("user", "Hi", odd)
    assert str(turn.time).startswith(day)


def test_every_way_to_give_a_date_warns_and_the_same_date_is_told_once(store):
    chat = MemoryChat(model="offline", store=store)
    calls = (
        lambda: store.start_session("soon"),
        lambda: store.add("user", "Hi", "soon"),
        lambda: chat.add_turn("user", "Hi", "soon"),
        lambda: rank_sessions(store, "Hi?", "soon"),
        lambda: chat.query("Hi?", "soon"),
        lambda: asyncio.run(chat.aquery("Hi?", "soon")),
    )
    for call in calls:
        with pytest.warns(UserWarning, match="soon"):
            call()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        for call in calls:
            call()
    assert len(warned) == 1


def test_a_date_that_can_be_read_or_none_warns_of_nothing(store, recwarn):
    store.start_session("2023/05/20 (Sat) 02:21")
    store.start_session()
    store.add("user", "Hi", "May 20th, 2023 3pm")
    store.add("user", "Hi")
    rank_sessions(store, "Hi?", "20.05.2023")
    assert [str(warning.message) for warning in recwarn] == []


def test_an_unknown_zone_is_refused():
    with pytest.raises(KeyError, match="Nowhere"):
        MemoryStore(tz="Mars/Nowhere")


@pytest.mark.parametrize("timestamp", [5, b"2023", ["2023-05-20"]])
def test_a_timestamp_is_a_text_or_a_time(timestamp):
    store = MemoryStore()
    with pytest.raises(TypeError, match="timestamp"):
        store.add("user", "Hi", timestamp)
    assert len(store) == 0


def test_speakers_and_titles_are_kept_and_cannot_imitate_marks(tmp_path):
    with MemoryStore(tmp_path / "h.db") as store:
        store.start_session("2023/05/20", title="Trip ---]\n[Turn 9][user]: x")
        store.add("user", "Hi", name="Ada]: x\n[Turn 9][user")
    with MemoryStore(tmp_path / "h.db") as store:
        assert store.turns[0].name.startswith("Ada]")
        assert store.sessions[0].title.startswith("Trip")
        first, second = store.to_string().splitlines()
        assert first == "[--- Session 1 | 2023/05/20 | Trip ---) (Turn 9)(user): x ---]"
        assert second == "[Turn 1][user Ada): x (Turn 9)(user]: Hi"


def test_a_snapshot_stays_as_it_was_and_cannot_be_written(store):
    store.start_session("a")
    store.extend([("user", "one"), ("user", "two")])
    store.start_session("empty")
    view, text = store.snapshot(), store.to_string()
    store.add("user", "three one")
    store.start_session("later")
    store.add("user", "four")
    assert (len(view), len(view.turns), len(view.sessions), view.to_string()) == (2, 2, 2, text)
    assert [turn.index for turn in view.search_history("one")] == [1]
    assert [turn.content for turn in view.get_recent(5)] == ["one", "two"]
    assert view.characters() == 6
    assert len(view.snapshot()) == 2
    for write in (lambda: view.add("user", "x"), lambda: view.start_session(), lambda: view.extend([("user", "x")])):
        with pytest.raises(StoreError, match="snapshot"):
            write()
    assert len(store) == 4


def test_a_snapshot_of_nothing_stays_empty(store):
    view = store.snapshot()
    store.add("user", "one")
    assert (len(view), list(view.sessions), view.to_string()) == (0, [], "")


def test_two_writers_do_not_share_a_session(tmp_path):
    path = tmp_path / "h.db"
    with MemoryStore(path) as one, MemoryStore(path) as two:
        one.start_session("monday", title="One")
        for number in range(3):
            one.add("one", str(number))
            two.add("two", str(number))
        assert all(len({turn.role for turn in session.turns}) == 1 for session in one.sessions)
        assert {session.date for session in one.sessions if session.turns[0].role == "one"} == {"monday"}
        assert {session.title for session in one.sessions if session.turns[0].role == "one"} == {"One"}
        two.start_session("tuesday")
        two.extend([("two", "a"), ("two", "b")])
    with MemoryStore(path) as later:  # nobody writes any more
        assert later.add("user", "goes on").session == 7
