"""What `MemoryChat.stats` returns."""

from typing import Literal, TypedDict

Mode = Literal["normal", "memory"]
"""Who answers: the model with the whole history in its context ("normal"), or MemoryRLM ("memory")."""


class ChatStats(TypedDict):
    """The state of a chat, and what its queries have cost so far.

    Args:
        model: The model's name, as tables show it.
        mode: Who answers the next question: "memory" if `characters` is more than `threshold_chars`, or than what fits
            the model's context.
        characters: Characters of the history, as the store counts them.
        threshold_chars: Up to this many characters, the whole history goes to the model.
        turns, sessions: Counts of the store.
        queries: How many questions were asked in each mode, failed ones included.
        failed: How many of them raised an error, have an `error` in their answer, or were streams that were given up.
        calls, prompt_tokens, completion_tokens: Totals of all queries, replayed calls included.
        cost_usd: Dollars of all queries; None if a price is not known.
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
