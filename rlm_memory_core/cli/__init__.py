"""The command line `rlm-memory`.

`main` parses arguments and runs a command. Each command has a module: `ask`, `calls`, `experiments` (reproduce,
estimate, report) and `serve`; `common` holds what they share. Commands import what they need when they run, so that
`--help` answers at once.
"""
