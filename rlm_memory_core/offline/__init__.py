"""The offline reader: answers without any LLM, behind the chat-completions protocol.

A deterministic extractive control that needs no key: it quotes the passages that match a question best. It is no
stand-in for a model, and is labelled so wherever its answers are shown. From the bottom up: `history`, `matching`,
`reader`, `root`, `roles`, `protocol`.
"""

from .protocol import FINGERPRINT, OfflineTransport, completion, error, stream_chunks
from .roles import reply

__all__ = ["FINGERPRINT", "OfflineTransport", "completion", "error", "reply", "stream_chunks"]
