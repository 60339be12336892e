"""Long-term memory for LLM assistants: a model searches the whole history with code, and answers with quotes.

    >>> from rlm_memory_core import MemoryChat
    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "I grew up in Nairobi.")

The core, each part using only the ones before it:

    store    the history: turns and sessions in one SQLite file
    models   connect(): from a request to a reply, with recorded calls, budgets, pacing and prices
    search   finding turns and sessions by words, dates and meaning
    repl     the sandboxed Python session that runs the model's code
    query    from a question to an Answer: the loop, sub-agents, evidence, trace
    chat     MemoryChat, for an assistant

Around it: `imports` reads chat exports, `offline` answers without a model, `views` shows results, `serving` and `cli`
are for other programs and the shell, `experiments` has what the notebooks need. `docs/how-it-works.md` follows a
question through the files.

Importing the package loads none of its parts: the first use of a public name does, so that the command line answers
`--help` at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .models import plugins

if TYPE_CHECKING:  # type checkers and editors read these imports; at run time `__getattr__` makes them
    from .chat.memory_chat import MemoryChat
    from .models.budget import Budget, BudgetExceeded
    from .models.llm import LLM, ModelError, connect
    from .models.pricing import Usage
    from .query.answer import Answer, Coverage, QueryFailed, Step, Trace
    from .query.engine import MemoryRLM
    from .query.evidence import Call, Evidence
    from .query.reading import Reading
    from .repl.limits import Limits
    from .store.memory_store import MemoryStore, StoreError
    from .store.turns import Session, Turn

__version__ = "0.1.0"

__all__ = [
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

_HOMES = (
    "chat.memory_chat",
    "query.engine",
    "models.llm",
    "models.budget",
    "models.pricing",
    "query.answer",
    "query.evidence",
    "query.reading",
    "repl.limits",
    "store.memory_store",
    "store.turns",
)

plugins.MODULES += f"{__name__}.offline", f"{__name__}.views"


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, or a part of the package such as `store`."""
    if not name.startswith("__"):
        plugins.load()
        homes = (vars(import_module(f".{home}", __name__)) for home in _HOMES) if name in __all__ else [globals()]
        for home in homes:
            if name in home:
                return home[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names also before they are loaded, for completion in a notebook."""
    return sorted({*globals(), *__all__})
