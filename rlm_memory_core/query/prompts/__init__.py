"""Every prompt the package sends, and nothing else.

A prompt here is plain text plus a few tags (``<session>``, ``<history>``,
``<question>``, ``<output>``) that keep the record apart from the instructions; a tag
within the record has a backslash before it. No module outside this folder words a
prompt of the core; none here calls a model.
"""

from .readers import (
    CHAT_SYSTEM,
    HISTORY_SYSTEM,
    SUBAGENT_FACTS_SYSTEM,
    SUBAGENT_SYSTEM,
    chat_system,
    history_messages,
    session_in,
    session_prompt,
    subagent_messages,
)
from .record import CUT_OFF, ESCAPED, NOT_FOUND, NOT_READ, UNKNOWN, ChatMessage, question_block
from .root import (
    CUT_REPLY,
    FORCED,
    NO_CODE,
    NOT_HERE,
    ROOT_SYSTEM,
    coverage_line,
    first_wave,
    in_the_words_of,
    output_message,
    root_messages,
)

__all__ = [
    "CHAT_SYSTEM",
    "CUT_OFF",
    "CUT_REPLY",
    "ESCAPED",
    "FORCED",
    "HISTORY_SYSTEM",
    "NOT_FOUND",
    "NOT_HERE",
    "NOT_READ",
    "NO_CODE",
    "ROOT_SYSTEM",
    "SUBAGENT_FACTS_SYSTEM",
    "SUBAGENT_SYSTEM",
    "UNKNOWN",
    "ChatMessage",
    "chat_system",
    "coverage_line",
    "first_wave",
    "history_messages",
    "in_the_words_of",
    "output_message",
    "question_block",
    "root_messages",
    "session_in",
    "session_prompt",
    "subagent_messages",
]
