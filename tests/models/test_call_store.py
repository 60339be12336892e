"""The file of recorded calls: written by several at once, damaged at any place, of other versions, pruned."""

import asyncio
import random
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from asking import ask

from rlm_memory_core import ModelError
from rlm_memory_core.models import background
from rlm_memory_core.models.call_store import CallStore, RecordingError, digest


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        ([f"PRAGMA application_id = {0x524C4D43}", "PRAGMA user_version = 99"], "later version"),
        (["PRAGMA application_id = 7"], "another program's"),
        (["CREATE TABLE turns (content)"], "another program's"),
    ],
)
def test_other_files_are_refused_in_one_line(path, statements, says):
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.close()
    with pytest.raises(RecordingError, match=says) as caught:
        CallStore(path)
    assert "\n" not in str(caught.value)


def test_calls_are_pruned_by_model_and_by_age_and_the_file_shrinks(path):
    calls = CallStore(path)
    put(calls, *[(f"{model} {number}", model, "x" * 9000, 0.5) for model in ("old", "new") for number in range(50)])
    calls.close()
    big = path.stat().st_size
    calls = CallStore(path)
    assert calls.prune(before="2000-01-01") == 0
    assert calls.prune("old") == 50
    assert {call.model for call in calls.records()} == {"new"}
    assert [call.key for call in calls.records("old")] == []
    assert calls.prune(before="2999-01-01") == 50
    assert len(calls) == 0
    assert path.stat().st_size < big / 20
    calls.verify()
    calls.close()
