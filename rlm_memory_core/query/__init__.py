"""Queries: from a question to an Answer.

Read the modules in this order:

- `engine`: `MemoryRLM`; `reading`: its settings.
- `conversation`: one query, between the root model and its REPL. `parsing` reads the root model's messages.
- `search_way` and `paper_way`: the two readings. The first gives the code tools to search (`search_tools`; `listing`
  writes what they print). The second puts the history into the REPL, with functions that send sub-agents to its
  sessions.
- `subagents` sends sub-agents to sessions; `evidence` reads their replies and looks each quote up.
- `answer`: what a query returns.
- `prompts`: all texts that are sent to models.
"""
