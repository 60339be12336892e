"""No value of the code can exhaust the host: a process runs the programs, and its peak memory is read after each."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from /proc")
MOST = 500  # MB
SCRIPT = """
import gc, json, sys
from rlm_memory_core.models import background
from rlm_memory_core.repl.repl import Repl

async def ask(*args):
    return "a reply"

async def go(code):
    functions = {"rank_sessions": lambda *args: [0], "search_history": lambda *args: []}
    async with Repl({}, functions, {"llm_query": ask, "llm_query_parallel": ask}) as repl:
        return await repl.run(code)

for code in json.load(sys.stdin):
    gc.collect()
    with open('/proc/self/clear_refs', 'w') as file:
        file.write('5')  # the peak begins anew
    done = background.run(go(code))
    peak = int(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]) // 1024
    figures = len(done.final or ""), len(done.output), len(done.error), peak
    print(json.dumps([*figures, (done.final or done.error)[-500:]]), flush=True)
"""
SHARED = "b = ['x' * 100000] * 1000\n"
RECORDS = (
    "from dataclasses import dataclass\n@dataclass\nclass R:\n    a: object\n    b: object\n"
    "r = R('x' * 100000, 'y')\nfor _ in range(30): r = R(r, r)\n"
)
ANSWERS = {
    "shared lists": f"{SHARED}FINAL([b] * 1000)",
    "shared texts": "texts = ['x' * 1000000] * 3000\nFINAL_VAR('texts')",
    "a dict of dicts": "d = {'k': 'x' * 1000000}\nfor _ in range(60): d = {'a': d, 'b': d}\nFINAL(d)",
    "sets of tuples": "t = ('x' * 100000,) * 500\nFINAL({(t, n) for n in range(2000)})",
    "bytes": "FINAL([b'x' * 50000000] * 1000)",
    "empty lists": "e = []\nfor _ in range(12): e = [e] * 10\nFINAL(e)",
    "one long text": "FINAL('x' * 60000000)",
    "long texts": "FINAL(['x' * 1000000] * 20)",
}
REFUSED = {
    "prompts": "llm_query_parallel(['x' * 1000000] * 10000)",
    "one prompt": "llm_query('x' * 50000000)",
    "nested prompts": f"{SHARED}llm_query_parallel([b] * 1000)",
    "dates": f"{SHARED}llm_query_parallel(['a'] * 1000, [b] * 1000)",
    "records as the answer": f"{RECORDS}FINAL(r)",
    "records as positions": f"{RECORDS}llm_query_parallel([r] * 100)",
    "another function": f"{SHARED}search_history([b] * 1000)",
    "many words": f"{SHARED}rank_sessions(*[b] * 1000)",
    "print": f"{SHARED}print([b] * 1000)",
    "an error": f"{SHARED}raise ValueError([b] * 1000)",
    "a long error": "raise ValueError('x' * 60000000)",
}


def run(codes):
    """What each program gives: characters of its answer, output and error, the peak in MB, and the last words."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(list(codes)), capture_output=True, text=True, timeout=500,
        check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_an_answer_is_written_out_up_to_a_limit():
    for (name, _), (final, _, _, peak, said) in zip(ANSWERS.items(), run(ANSWERS.values()), strict=True):
        assert 0 < final < 101_000, name
        assert "cut" in said or "cannot be written out" in said or name == "long texts", name  # cut in its middle
        assert peak < MOST, name


@pytest.mark.slow
def test_what_is_too_large_is_refused():
    for (name, _), (final, output, error, peak, said) in zip(REFUSED.items(), run(REFUSED.values()), strict=True):
        assert final == 0, name
        assert output < 30_000, name
        assert 0 < error < 30_000, name
        assert "limit" in said or "may have" in said or "ValueError" in said or "x" * 100 in said, name
        assert peak < MOST, name
