"""Loads the benchmarks as Samples: one module and one `load` per benchmark.

`niah`, `synthetic` and `long_histories` are generated from `sentences.toml`; `longmemeval` and `locomo` read files that
`assets` finds or downloads.
"""
