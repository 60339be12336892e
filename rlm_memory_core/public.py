"""The public names of the package and where they live; `rlm_memory_core` imports this file at their first use."""

from .chat.memory_chat import MemoryChat
from .models.budget import Budget, BudgetExceeded
from .models.llm import LLM, ModelError, connect
from .models.pricing import Usage
from .query.answer import Answer, QueryFailed
from .query.engine import MemoryRLM
from .query.evidence import Evidence
from .query.reading import Reading
from .query.trace import Call, Coverage, Step, Trace
from .repl.limits import Limits
from .store.memory_store import MemoryStore, StoreError
from .store.turns import Session, Turn

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
