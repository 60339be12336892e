"""Small rewrites that let model-written Python run in the sandbox.

The sandbox supports most of the language. Rewrites add what it lacks: modules, functions, methods, and waiting for a
sub-agent inside `sorted`, `map` or `any`. A program that needs none of this runs unchanged. The sandbox refuses what no
rewrite covers, and `rlm_memory_core.repl.sandbox_errors` tells the model what to write instead.

Read `rewriter` first (one program in, one program out; how several sub-agent calls run concurrently), then `rules`
(what is rewritten). The code that rewritten programs call is in `rlm_memory_core.repl.stdlib`.
"""
