"""Reads a history from a file: a store, OpenAI messages, or an export of ChatGPT or ShareGPT.

Read `history_file` first: it opens a file and gives a store. `sessions` groups messages into sessions;
`message_formats` knows the forms of a message.
"""

from .history_file import open_history, read_messages
from .message_formats import HistoryFileError

__all__ = ["HistoryFileError", "open_history", "read_messages"]
