"""Finding things in a history: by words, by dates, by meaning."""
