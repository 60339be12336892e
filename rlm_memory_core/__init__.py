"""Long-term memory for LLM assistants: the whole history in a Python REPL, read by parallel sub-agents.

    >>> from rlm_memory_core import MemoryChat
    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "I grew up in Nairobi.")

The core, each part using only the ones before it:

    store    the history: turns and sessions in one SQLite file
    models   connect(): from a request to a reply, with recorded calls, budgets, pacing and prices
    search   finding sessions by words, dates and meaning
    repl     the sandboxed Python session that runs the model's code
    query    from a question to an Answer: the loop, sub-agents, findings, evidence
    chat     MemoryChat, for an assistant

Around it: `imports` reads chat exports, `offline` answers without a model, `views` shows results, `serving` and `cli`
are for other programs and the shell, `experiments` has what the notebooks need. `docs/how-it-works.md` follows a
question through the files.
"""

from . import offline, views  # noqa: F401  # importing registers the offline reader, and how objects are shown
from .chat.memory_chat import MemoryChat
from .models.budget import Budget, BudgetExceeded
from .models.llm import LLM, ModelError, connect
from .models.pricing import Usage
from .query.answer import Answer, QueryFailed
from .query.engine import MemoryRLM
from .query.evidence import Evidence
from .query.reading import Reading
from .query.subagents import Call, Coverage
from .query.trace import Step, Trace
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
