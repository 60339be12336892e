"""Servers that give a memory to other programs.

`endpoint` serves OpenAI's API in front of any model and adds a memory to it. Read it first; then `memory` (builds the
request to the model), `conversation` (stores the turns), `protocol` (reads and writes the JSON) and `people`
(opens each person's store).

`mcp_server` and `memory_tools` give agents the search tools over MCP. `access` checks who may connect to either server.
"""
