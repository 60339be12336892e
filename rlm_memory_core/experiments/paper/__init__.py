"""The paper: its numbers, its authors' logs, and the scorecard that compares both with ours.

Read `registry` first: it reads `paper.toml`, which lists every number of the paper and what can check it. `paper_logs`
and `paper_log_parser` read the authors' logs, `recompute` and the audits compute numbers from them, and `scorecard`
gives each number a status and a verdict. `published_tables` covers Table 7.
"""
