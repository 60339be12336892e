"""Queries: from a question to an Answer.

Read them in this order:

- `engine`: `MemoryRLM`, and the conversation of one query between the root model and its REPL. `reading` holds the
  settings for how a history is read; `parsing` reads the root model's messages.
- `workspace`: the history as the code sees it; `large_workspace`: the same where the history is not copied.
- `session_reader`: the functions that send sub-agents to sessions; `subagents` makes the calls and counts them.
- `findings`: reads a sub-agent's reply and looks its quotes up.
- `answer`, `evidence`, `trace`: what a query returns.
- `prompts`: every text that is sent to a model.
"""
