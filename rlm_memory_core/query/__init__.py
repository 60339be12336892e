"""Queries: from a question to an Answer.

Read them in this order:

- `engine`: `MemoryRLM`; `reading` has what it takes. `conversation` runs one query, between the root model and its
  REPL; `parsing` reads the root model's messages.
- `way` says what a way of reading is. `search_way` is the search reading, with the tools of `search_tools`; `paper_way`
  is the paper's: the history in the REPL, and functions that send sub-agents to its sessions.
- `subagents` sends sub-agents to sessions and counts them; `findings` reads a reply and looks its quotes up.
- `answer`, `evidence`, `trace`: what a query returns.
- `prompts`: every text that is sent to a model.
"""
