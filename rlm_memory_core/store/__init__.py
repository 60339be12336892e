"""The history: turns and sessions, in memory or in one SQLite file.

Read `turns` first (what is stored, and its form as text), then `memory_store` (appending and reading). `sessions`
decides which session a turn belongs to; `times` reads the times of turns, with `dates`, the package's only date parser.
`database` handles SQLite, `schema` has the tables, and `time_limit` ends long searches. `substring` finds a keyword in
any letter case. `escaping` prevents content from imitating headings and tags. `display` lets `views` say how objects
look in a notebook or a terminal.
"""
