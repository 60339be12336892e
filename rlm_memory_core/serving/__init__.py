"""Serves over HTTP: `offline_server` gives the offline reader an OpenAI-compatible address."""
