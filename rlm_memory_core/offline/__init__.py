"""The offline reader: answers without any LLM, behind the chat-completions protocol.

It is deterministic, needs no key, and quotes the passages that match a question best. It is a control, not a substitute
for a model, and this is stated wherever its answers are shown. Read the files in this order: `history`, `matching`,
`reader`, `root`, `roles`, `backend`.
"""

from ..models.llm import NAMED
from .backend import FINGERPRINT, MODEL, OfflineReader, completion, error, stream_chunks
from .roles import reply

__all__ = ["FINGERPRINT", "MODEL", "OfflineReader", "completion", "error", "reply", "stream_chunks"]

NAMED[MODEL] = OfflineReader
