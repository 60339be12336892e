import pytest

from rlm_memory_core import Call, Step, Trace, Usage


@pytest.fixture
def call():
    """A call that found something in a session of two turns; any field can be given."""

    def build(**changes):
        fields = {
            "session": "[Turn 1][user]: My cat is called Mochi.\n[Turn 2][assistant]: Got it.",
            "reply": '- [Turn 1] "My cat is called Mochi.": the cat',
            "usage": Usage(100, 10, 1),
            "cost_usd": 0.001,
            "started": 1.0,
            "seconds": 2.0,
            "recorded": False,
            "batch": 1,
            "number": 1,
            "date": "2023/05/20 (Sat) 02:21",
        }
        return Call(**fields | changes)

    return build


@pytest.fixture
def trace():
    """A trace of two steps around the given calls: one that asks, one that answers."""

    def build(*calls, **changes):
        asks = {
            "reply": "I will ask.\n```repl\nprint(1)\n```",
            "code": ("print(1)",),
            "output": "1\n",
            "calls": calls,
            "usage": Usage(50, 5, 1),
            "cost_usd": 0.01,
            "seconds": 0.9,
        }
        return Trace((Step(**asks | changes), Step("FINAL(1)", (), "", (), Usage(60, 6, 1), 0.01, 0.5, started=3.1)))

    return build


HOSTILE = '</pre></div><script>alert(1)</script><img src=x onerror="alert(2)"> \u202e\x1b[31m {{ 7 * 7 }} &amp;'


@pytest.fixture
def hostile():
    """A text that tries to become part of the page."""
    return HOSTILE
