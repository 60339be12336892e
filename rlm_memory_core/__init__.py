"""Long-term memory for LLM assistants: the whole history in a Python REPL, read by parallel sub-agents.

    >>> from rlm_memory_core import MemoryChat
    >>> chat = MemoryChat(model="offline")
    >>> turn = chat.add_turn("user", "I grew up in Nairobi.")

Benchmarks and the driver of the notebooks are in `rlm_memory_core.experiments`, which nothing here imports.
"""

from .answer import Answer, Evidence, QueryFailed, Step, Trace
from .budget import Budget, BudgetExceeded
from .chat import MemoryChat
from .coverage import Call, Coverage
from .engine import MemoryRLM
from .limits import Limits
from .llm import LLM, ModelError, connect
from .pricing import Usage
from .reading import Reading
from .store import MemoryStore, StoreError
from .turns import Session, Turn

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
