import random
import sqlite3
from contextlib import closing

import pytest

from rlm_memory_core import MemoryStore, StoreError
from rlm_memory_core.imports import HistoryFileError, open_history, recover
from rlm_memory_core.search.ranking import rank_sessions


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.db"
    with MemoryStore(path) as store, store.transaction():
        for day in range(1, 21):
            store.start_session(f"2023/05/{day:02}", title=f"Day {day}")
            store.extend(("user", f"secret {day} {number} " + "word " * 50) for number in range(20))
    return path


def damage(path, seed, pages=3, size=4096):
    """Overwrite some pages with noise; the first one, which tells what the file is, stays."""
    draw, content = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(pages):
        start = draw.randrange(1, len(content) // size) * size
        content[start : start + size] = draw.randbytes(size)
    path.write_bytes(content)


def test_a_sound_store_is_said_to_be_sound(history, tmp_path):
    assert recover(history, tmp_path / "copy.db") == (True, f"{history} is sound: 400 turns")
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("seed", range(8))
def test_what_can_be_read_of_a_damaged_store_is_copied(history, tmp_path, seed):
    damage(history, seed)
    before = history.read_bytes()
    is_sound, line = recover(history, tmp_path / "copy.db")
    assert history.read_bytes() == before
    assert not is_sound
    with MemoryStore(tmp_path / "copy.db") as store:
        assert len(store) > 200
        assert f"{len(store)} turns were copied" in line
        assert {turn.content.split()[0] for turn in store.turns} == {"secret"}
        assert [turn.index for turn in store.turns] == list(range(1, len(store) + 1))
        assert store.characters() == sum(len(turn.content) for turn in store.turns)
        assert store.query("PRAGMA integrity_check") == [("ok",)]
    with pytest.raises(HistoryFileError, match="exists already"):
        recover(history, tmp_path / "copy.db")


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_store_raises_one_line_that_names_the_way_out_and_quotes_nothing(history, seed):
    damage(history, seed, pages=6)
    uses = [
        lambda store: list(store.turns),
        lambda store: list(store.sessions),
        lambda store: store.search_history("word"),
        lambda store: rank_sessions(store, "secret word"),
        lambda store: store.add("user", "more"),
    ]
    raised = []
    try:
        with MemoryStore(history) as store:
            for use in uses:
                try:
                    use(store)
                except StoreError as error:  # some uses may meet no damage
                    raised.append(error)
    except StoreError as error:
        raised.append(error)
    for each in raised:
        line = str(each)
        assert str(history) in line
        assert "rlm-memory check" in line
        assert "secret" not in line
        assert "\n" not in line
    with pytest.raises(HistoryFileError, match=r"damaged.*rlm-memory check"), open_history(history):
        pass


def test_a_file_of_noise_has_nothing_to_copy(tmp_path):
    path = tmp_path / "noise.db"
    path.write_bytes(random.Random(1).randbytes(100_000))
    with pytest.raises(HistoryFileError, match="no turn of it can be read"):
        recover(path, tmp_path / "copy.db")


def test_a_full_disk_is_said_and_loses_nothing(history):
    with MemoryStore(history) as store:
        store.query(f"PRAGMA max_page_count = {store.query('PRAGMA page_count')[0][0]}")
        with pytest.raises(StoreError, match=r"the disk is full: nothing was added to .*history\.db"):
            store.extend(("user", "x" * 10_000) for _ in range(50))
        assert len(store) == 400
        store.query("PRAGMA max_page_count = 1000000")
        assert store.add("user", "room again").index == 401


@pytest.mark.parametrize("kept", [0.97, 0.8, 0.5])
def test_a_file_that_was_cut_off_gives_what_is_left_of_it(history, tmp_path, kept):
    content = history.read_bytes()
    history.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(StoreError, match=r"damaged.*rlm-memory check"), MemoryStore(history) as store:
        list(store.turns)
    recover(history, tmp_path / "copy.db")
    with MemoryStore(tmp_path / "copy.db") as store:
        assert kept * 400 * 0.8 < len(store) == len({turn.content for turn in store.turns}) < 400


@pytest.mark.parametrize("seed", range(4))
def test_single_bytes_that_changed_all_over_a_file_cost_single_turns(history, tmp_path, seed):
    draw, content = random.Random(seed), bytearray(history.read_bytes())
    for _ in range(60):
        content[draw.randrange(4096, len(content))] = draw.randrange(256)
    history.write_bytes(content)
    is_sound, _ = recover(history, tmp_path / "copy.db")
    with MemoryStore(history if is_sound else tmp_path / "copy.db") as store:
        assert len(list(store.turns)) == len(store) > 200


def test_damage_that_shows_while_a_copy_is_read_names_the_file(history):
    with pytest.raises(HistoryFileError) as raised, open_history(history) as store:
        raise StoreError(f"{store.path} is damaged")
    assert str(raised.value) == f"{history} is damaged"


def test_what_is_no_store_is_said_in_one_line(tmp_path):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE notes (said)")
    with pytest.raises(StoreError, match=r"other\.db is a database of another program"):
        recover(path, tmp_path / "copy.db")
    with pytest.raises(StoreError, match="or it is a folder; name a file"):
        MemoryStore(tmp_path)
    assert not (tmp_path / "copy.db").exists()
