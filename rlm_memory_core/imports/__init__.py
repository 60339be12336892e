"""Reads histories from files: stores, exports of ChatGPT and Claude, and messages in the formats of OpenAI and others.

Read `reader` first: it reads a file into a store. `json_values` reads JSON piece by piece, and `formats` knows the
formats of conversations and messages. `staging` sorts messages and recognises those that were imported before.
`history_file` opens a history for one command without changing it, and copies what can be read from a damaged store.
"""

from .history_file import is_store, open_history, read_messages, recover
from .json_values import HistoryFileError
from .reader import Report, import_file

__all__ = ["HistoryFileError", "Report", "import_file", "is_store", "open_history", "read_messages", "recover"]
