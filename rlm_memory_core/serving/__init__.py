"""Serves to other programs.

The endpoint with memory, OpenAI's API before any model: read `endpoint` first (requests in, replies out), then `memory`
(what the model is asked), `conversation` (what is stored), `replies` (the protocol's forms), `people` (whose store),
`limits` (how much). Tools for agents, by MCP: `mcp_server` and `memory_tools`. `access` says who may reach either.
`llama_server` runs a small real model.
"""
