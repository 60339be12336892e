"""Every text that is sent to a model, and nothing else.

`record` holds what all readings share: how a record and a question are written, and what sub-agents, baselines and a
chat are told. `paper` is for the root model of the paper's reading, `search` for that of the search reading. The long
texts lie in files of their own.
"""
