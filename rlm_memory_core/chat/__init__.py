"""MemoryChat: memory for an assistant."""
