"""The values that pass between callers and models."""

from __future__ import annotations

from typing import TypedDict


class ChatMessage(TypedDict):
    """One chat message, in the form of the chat-completions protocol."""

    role: str
    content: str
