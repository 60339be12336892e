"""The sandboxed Python session that runs the code of the root model.

Read `repl` first (one session: run code, recover, find the answer), then `hostcalls` (what the code can read and call),
`worker` (the pool of processes), `limits`, `journal` (restores variables after a worker died) and `sandbox_errors`
(tells the model what to write instead). `dialect` adapts programs to the sandbox; `stdlib` holds the modules that it
lacks.
"""
