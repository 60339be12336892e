"""The sandboxed Python session that runs the code of the root model.

Read `repl` first (one session: run code, recover, find the answer), then `hostcalls` (what the code may call), `worker`
(the pool of processes), `limits`, `journal` (how variables come back after a worker was lost) and `sandbox_errors`
(what a refused program is told to write instead). `dialect` rewrites programs for the sandbox; `stdlib` is its source.
"""
