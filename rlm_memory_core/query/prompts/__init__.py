"""All texts that are sent to models, and nothing else.

`record` contains what all readings share: the form of records and questions, and the prompts for sub-agents, baselines
and chats. `paper` is for the root model of the paper's reading, `search` for that of the search reading. Long texts are
in separate files.
"""
