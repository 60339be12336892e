"""Models: one pipeline from a request to a reply."""
