"""Long-term memory for LLM assistants: a model searches the whole history with code, and answers with quotes.

    >>> from rlm_memory_core import MemoryChat
    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "I grew up in Nairobi.")

The core, each part using only the ones before it:

    store    the history: turns and sessions in one SQLite file
    models   connect(): from a request to a reply, with recorded calls, budgets, pacing and prices
    search   finding sessions by words, dates and meaning
    repl     the sandboxed Python session that runs the model's code
    query    from a question to an Answer: the loop, sub-agents, evidence, trace
    chat     MemoryChat, for an assistant

Around it: `imports` reads chat exports, `offline` answers without a model, `views` shows results, `serving` and `cli`
are for other programs and the shell, `experiments` has what the notebooks need. `docs/how-it-works.md` follows a
question through the files.

`public` imports the names below at the first use of one of them, so that the command line answers `--help` at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import plugins

if TYPE_CHECKING:
    from .public import *  # noqa: F403

__version__ = "0.1.0"

__all__ = [  # noqa: F405
    "LLM",
    "Answer",
    "Budget",
    "BudgetExceeded",
    "Call",
    "Coverage",
    "Evidence",
    "Limits",
    "MemoryChat",
    "MemoryRLM",
    "MemoryStore",
    "ModelError",
    "QueryFailed",
    "Reading",
    "Session",
    "Step",
    "StoreError",
    "Trace",
    "Turn",
    "Usage",
    "connect",
]

plugins.announce(f"{__name__}.offline", f"{__name__}.views")

if not TYPE_CHECKING:  # type checkers read `public` instead

    def __getattr__(name: str) -> Any:
        """Return a public name, or a part of the package such as `store`."""
        if not name.startswith("__"):
            plugins.load()
            public = import_module(".public", __name__)
            found = vars(public) if name in __all__ else globals()
            if name in found:
                return found[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """List the public names also before they are loaded, for completion in a notebook."""
        return sorted({*globals(), *__all__})
