"""The command line `rlm-memory`.

Read `main` first (parse, run, say what is wrong), then `parsers` (every command's options). Each command has a module,
which is imported when the command runs: `ask` (with `waiting`), `history_files` (open, show, import, check),
`experiments` (reproduce, estimate, report), `calls`, `serve` and `mcp`. `common` holds what they share.
"""
