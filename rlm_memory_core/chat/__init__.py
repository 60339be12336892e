"""MemoryChat: a chat client with memory.

Read `memory_chat` first: it decides who answers, and stores every message. `direct` asks the model about a short
history; `query` answers about a long one. `reply_stream` streams replies in pieces.
"""
