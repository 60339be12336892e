"""Queries: from a question to an Answer.

Read them in this order:

- `engine`: `MemoryRLM`; `reading` has what it takes.
- `conversation`: one query, between the root model and its REPL. `parsing` reads the root model's messages.
- `search_way` and `paper_way`: the two readings. The first has tools that search (`search_tools`); the second has the
  history in the REPL, and functions that send sub-agents to its sessions.
- `subagents` sends sub-agents to sessions; `evidence` reads their replies and looks each quote up.
- `answer` and `trace`: what a query returns.
- `prompts`: every text that is sent to a model.
"""
