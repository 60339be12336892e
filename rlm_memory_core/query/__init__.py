"""Queries: from a question to an Answer.

Read them in this order:

- `engine`: `MemoryRLM`; `settings` holds what it takes. `conversation` runs one query, between the root model and its
  REPL; `parsing` reads the root model's messages. `unaided` is for a model that writes no code.
- `reading` says how a history is read, and `way` what a way of reading is. `search_way` is the search reading, with the
  tools of `search_tools`; `paper_way` is the paper's, with the history as `workspace` shows it to the code.
- `subagents` sends sub-agents to sessions and counts them; `findings` reads a reply and looks its quotes up.
- `answer`, `evidence`, `trace`: what a query returns.
- `prompts`: every text that is sent to a model.
"""
