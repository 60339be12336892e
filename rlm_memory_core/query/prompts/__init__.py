"""Every text that is sent to a model, and nothing else.

`record` holds what all readings share: how a record and a question are written, and what sub-agents, baselines and a
chat are told. `paper` is for the root model of the paper's reading, `search` for that of the search reading. The long
texts lie in files of their own (`texts` reads them).
"""

from .paper import FORCED, NO_CODE, NOT_HERE, ROOT_SYSTEM, coverage_line, output_message, root_messages
from .record import (
    CHAT_SYSTEM,
    CUT_OFF,
    CUT_REPLY,
    ESCAPED,
    HISTORY_SYSTEM,
    NOT_FOUND,
    NOT_READ,
    SUBAGENT_FACTS_SYSTEM,
    SUBAGENT_SYSTEM,
    UNKNOWN,
    ChatMessage,
    chat_system,
    history_messages,
    session_prompt,
    subagent_messages,
)
from .search import (
    EMPTY,
    FALSE_QUOTE,
    SEARCH_FORCED,
    SEARCH_NO_CODE,
    SEARCH_SUBAGENT_SYSTEM,
    SEARCH_SYSTEM,
    UNSEEN,
    search_messages,
)

__all__ = [
    "CHAT_SYSTEM",
    "CUT_OFF",
    "CUT_REPLY",
    "EMPTY",
    "ESCAPED",
    "FALSE_QUOTE",
    "FORCED",
    "HISTORY_SYSTEM",
    "NOT_FOUND",
    "NOT_HERE",
    "NOT_READ",
    "NO_CODE",
    "ROOT_SYSTEM",
    "SEARCH_FORCED",
    "SEARCH_NO_CODE",
    "SEARCH_SUBAGENT_SYSTEM",
    "SEARCH_SYSTEM",
    "SUBAGENT_FACTS_SYSTEM",
    "SUBAGENT_SYSTEM",
    "UNKNOWN",
    "UNSEEN",
    "ChatMessage",
    "chat_system",
    "coverage_line",
    "history_messages",
    "output_message",
    "root_messages",
    "search_messages",
    "session_prompt",
    "subagent_messages",
]
