"""Rewrites that make Python as models write it run in the sandbox."""
