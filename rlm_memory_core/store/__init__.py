"""The history: turns and sessions, in memory or in one SQLite file.

Read `turns` first (what is stored, and how it is written as text), then `memory_store` (appending and reading).
`sessions` decides which session a turn belongs to, by the `times` of turns. `database` and `schema` are SQLite below
it, `substring` finds a keyword in any letter case, and `escaping` keeps what was said apart from headings and tags.
`dates` is the package's only date parser. `batching` divides many items into batches.
`display` lets `views` register how objects show themselves.
"""
