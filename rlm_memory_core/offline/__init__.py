"""The offline reader: answers without any LLM, behind the chat-completions protocol.

A deterministic extractive control that needs no key: it quotes sentences and does simple
arithmetic on dates and counts. It is no stand-in for a model, and is labelled so wherever
its answers are shown. From the bottom up: `words`, `categories`, `matching`, `forms`, `events`,
`question`, `passages`, `evidence`, `sums`, `compute`, `reader`, `roles`, `backend`.
"""

from ..models import backends
from .backend import FINGERPRINT, MODEL, OfflineReader, completion, error, stream_chunks
from .roles import reply

__all__ = ["FINGERPRINT", "MODEL", "OfflineReader", "completion", "error", "reply", "stream_chunks"]

backends.register(MODEL, OfflineReader, version=FINGERPRINT)
