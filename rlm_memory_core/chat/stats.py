"""The statistics that `MemoryChat.stats` returns."""

from typing import Literal, TypedDict

Mode = Literal["normal", "memory"]
"""Who answers: the model with the whole history in its context ("normal"), or MemoryRLM ("memory")."""


class ChatStats(TypedDict):
    """The state of a chat, and what its queries have cost so far.

    Args:
        model: The model's name, as shown in tables.
        mode: Who answers the next question: "memory" if `characters` exceeds `threshold_chars` or the model's context.
        characters: Characters in the history, as counted by the store.
        threshold_chars: A history of up to this many characters is sent to the model as a whole.
        turns, sessions: How many turns and sessions the store holds.
        queries: How many questions were asked in each mode, including failed ones.
        failed: How many of them raised an error, have an `error` in their answer, or were streams closed early.
        calls, prompt_tokens, completion_tokens: Totals of all queries, including replayed calls.
        cost_usd: The cost of all queries in dollars; None if a price is unknown.
    """

    model: str
    mode: Mode
    characters: int
    threshold_chars: int
    turns: int
    sessions: int
    queries: dict[Mode, int]
    failed: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
