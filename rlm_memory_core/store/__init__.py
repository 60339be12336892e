"""The history: turns and sessions in one SQLite file or in memory."""
