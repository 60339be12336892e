import pytest

from rlm_memory_core import MemoryStore, StoreError


@pytest.mark.parametrize("version", [99, 1])
def test_a_file_of_another_version_is_refused_and_left_as_it_was(tmp_path, version):
    path = tmp_path / "new.db"
    with MemoryStore(path) as store:
        store.query(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"new\.db was made by another version of rlm-memory; update"):
        MemoryStore(path)
    assert path.read_bytes() == before
