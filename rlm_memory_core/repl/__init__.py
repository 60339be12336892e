"""The sandboxed Python session that runs the root model's code.

Read `repl` first (one session: run code, recover, find the answer), then `hostcalls` (what the code can read and call),
`worker` (the pool of processes), `limits`, `values` (measures what code and host exchange, and writes it as text) and
`sandbox_errors` (tells the model what to write instead). `date_functions` are for the code. `dialect` adapts programs
to the sandbox. `stdlib` contains the modules that the sandbox lacks, and `crossing`, which copies the arguments of host
functions.
"""
