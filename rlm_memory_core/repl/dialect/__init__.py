"""Small rewrites that let Python as models write it run in the sandbox.

The sandbox knows most of the language. A rewrite adds what it lacks: modules, functions, methods, and waiting for a
sub-agent inside `sorted`, `map` or `any`. A program that needs none of this runs as it was written. Whatever no rewrite
covers is left for the sandbox to refuse, and `rlm_memory_core.repl.sandbox_errors` says what to write instead.

Read `rewriter` first (one program in, one program out; how several calls of sub-agents run at once), then `rules` (what
is rewritten). The code that rewritten programs call is in `rlm_memory_core.repl.stdlib`.
"""
