"""Reads chat exports and message files into a store."""
