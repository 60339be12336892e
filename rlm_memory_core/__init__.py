"""Long-term memory for LLM assistants: the whole history in a Python REPL, read by parallel sub-agents.

    >>> from rlm_memory_core import MemoryChat
    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "I grew up in Nairobi.")

Benchmarks and the driver of the notebooks are in `rlm_memory_core.experiments`, which nothing here imports.
"""

from . import offline, views  # noqa: F401  # they register the offline reader, and how objects show themselves
from .chat.memory_chat import MemoryChat
from .models.budget import Budget, BudgetExceeded
from .models.llm import LLM, ModelError, connect
from .models.pricing import Usage
from .query.answer import Answer, QueryFailed
from .query.coverage import Call, Coverage
from .query.engine import MemoryRLM
from .query.evidence import Evidence
from .query.reading import Reading
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
