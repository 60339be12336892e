import pytest

from rlm_memory_core import MemoryStore, StoreError


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_was(tmp_path):
    path = tmp_path / "new.db"
    with MemoryStore(path) as store:
        store.query("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"new\.db was made by a newer rlm-memory; update"):
        MemoryStore(path)
    assert path.read_bytes() == before
