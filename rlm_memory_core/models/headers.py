"""The headers, codes and refusals by which the transports under a client tell one another what became of a request.

They are our own, and stand in no server's answer: `transport` takes away what comes from the network in their name.
"""

from __future__ import annotations

import httpx2

OWN = "x-rlm-memory-"
"""How the names of our own headers begin."""

RECORDED_HEADER = f"{OWN}recorded"
SECONDS_HEADER = f"{OWN}seconds"
NOT_RECORDED, UNUSABLE = "not_recorded", "recording_unusable"  # codes of our own refusals
OVER_BUDGET = 402  # "payment required": the status of a request that a budget held back
REQUESTS_HEADER = f"{OWN}requests"  # how many requests were paid for the answer, where more than one
OVER_BUDGET_CODE = "over_budget"


def refusal(status: int, message: str, code: str) -> httpx2.Response:
    """A response of our own in place of a server's; the openai client does not try again."""
    headers = {"x-should-retry": "false"}
    return httpx2.Response(status, headers=headers, json={"error": {"message": message, "code": code}})
