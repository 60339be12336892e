"""All texts that are sent to models, and nothing else.

`record` contains the prompts of the paper's reading, and what all readings share: the form of records and questions,
and the prompts for sub-agents, baselines and chats. `search` is for the root model of the search reading. Long texts
are in separate files.
"""
