"""Benchmarks, methods, scoring and the driver: everything that only the experiments need."""
