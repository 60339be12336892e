"""The sandboxed Python session that runs the code of the root model."""
