import pytest

from rlm_memory_core import MemoryStore, StoreError


@pytest.mark.parametrize(("version", "reason"), [(99, "a newer rlm-memory; update"), (1, "an unreleased rlm-memory")])
def test_a_file_of_another_version_is_refused_and_left_as_it_was(tmp_path, version, reason):
    path = tmp_path / "new.db"
    with MemoryStore(path) as store:
        store.query(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"new\.db was made by {reason}"):
        MemoryStore(path)
    assert path.read_bytes() == before
