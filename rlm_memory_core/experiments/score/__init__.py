"""Scores answers."""
