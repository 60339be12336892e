"""Runs methods over samples and notebooks over papermill."""
