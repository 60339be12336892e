"""Queries: from a question to an Answer.

Read them in this order:

- `engine`: `MemoryRLM`, what all queries of an engine share; `reading`: its settings for how a history is read.
- `loop`: one query, the conversation between the root model and its REPL; `parsing` reads the root model's messages.
- `workspace`: the history as the code sees it; `large_workspace`: the same where the history is not copied.
- `session_reader`: the functions that send sub-agents to sessions; `subagents` makes the calls.
- `findings`: reads a sub-agent's reply and looks its quotes up.
- `coverage`, `evidence`, `trace`, `answer`: what a query returns.
- `prompts`: every text that is sent to a model.
"""
