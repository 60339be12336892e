"""A hard limit on what calls take: dollars, tokens, calls or seconds, shared by all who are given it.

What a call may cost is set aside before it is sent, and what it did cost is counted
after it, so that calls in flight cannot pass the limit together: it is overrun by no
more than the estimate of those calls was wrong. Prices live in `pricing`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from .pricing import Usage

_BYTES_PER_TOKEN = 4  # English prose as JSON
_REPLY_TOKENS = 250  # expected of a chat completion, until the replies so far tell more
_STAYS = ("_held", "_held_usd", "_turn", "_settled")  # with the calls in flight in this process, and its loop


class BudgetExceeded(Exception):
    """A limit was reached before a call; the message says which."""


@dataclass
class Budget:
    """A limit shared by all calls that are given it, checked before each of them.

    A call that only the calls in flight leave no room for waits until they have ended. The
    first call that what is spent leaves no room for ends the budget: it is refused, and so
    is every later one, even a smaller one, so that what is answered does not depend on what
    is cheap. Replayed calls are free, and are never refused.

    Args:
        usd, tokens, calls, seconds: Limits; None for none. Seconds count from the first call.

    `spent` and `spent_usd` say what was paid for, by the estimate where a call was stopped or timed out, as the server
    bills it all the same; dollars are None where a price is not known.
    `ended` says in one line why no call is sent any more; "" while calls are.

    >>> budget = Budget(usd=0.5)
    >>> budget.charge(Usage(1000, 20, 1), 0.2)
    >>> budget.spent_usd, budget.ended
    (0.2, '')
    """

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    spent: Usage = field(default_factory=Usage, init=False)
    spent_usd: float | None = field(default=0.0, init=False)
    ended: str = field(default="", init=False)
    _held: Usage = field(default_factory=Usage, init=False, repr=False)
    _held_usd: float = field(default=0.0, init=False, repr=False)
    _started: float | None = field(default=None, init=False, repr=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False, compare=False)
    _settled: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """To another process goes what is spent, but not what calls in flight here hold; and, as clocks differ, how
        long ago it was started."""
        kept = {name: value for name, value in vars(self).items() if name not in _STAYS}
        return {**kept, "_started": None if self._started is None else time.monotonic() - self._started}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Hold nothing, and set the start back by what has elapsed."""
        elapsed = state["_started"]
        started = None if elapsed is None else time.monotonic() - elapsed
        vars(self).update({**vars(Budget()), **state, "_started": started})

    async def hold(self, usage: Usage, usd: float) -> None:
        """Set aside what a call may take; wait where that depends on the calls in flight.

        Args:
            usage, usd: An estimate, to be given back by `release`.

        Raises:
            BudgetExceeded: What is spent leaves no room for it.
        """
        if self._started is None:
            self._started = time.monotonic()
        async with self._turn:  # in the order in which they came
            while True:
                self.ended = self.ended or self._lacks(usage, usd, held=False)
                if self.ended:
                    raise BudgetExceeded(self.ended)
                if not self._lacks(usage, usd, held=True):
                    break
                self._settled.clear()
                await self._settled.wait()
            self._held += usage
            self._held_usd += usd

    def release(self, usage: Usage, usd: float) -> None:
        """Give back what was set aside for a call that has ended."""
        self._held -= usage
        self._held_usd = self._held_usd - usd if self._held.calls else 0.0  # no rounding is left to wait for
        self._settled.set()

    def hold_now(self, usage: Usage, usd: float) -> bool:
        """Set aside what a request may take that can be done without, where there is room for it right now.

        It never takes the room that a call waits for, and never ends the budget.

        Returns:
            Whether it was set aside; if so, it is to be given back by `release`.
        """
        if self.ended or self._turn.locked() or self._lacks(usage, usd, held=True):
            return False
        self._held += usage
        self._held_usd += usd
        return True

    def charge(self, usage: Usage, usd: float | None) -> None:
        """Count a call that was paid for; from the first of unknown price on, the dollars spent are not known."""
        self.spent += usage
        self.spent_usd = None if usd is None or self.spent_usd is None else self.spent_usd + usd

    def expected(self, request_bytes: int, replies: bool) -> Usage:
        """What a request of this size may take; `replies` says whether a text comes back."""
        written = self.spent.completion_tokens // max(self.spent.calls, 1)
        reply = max(_REPLY_TOKENS, written) if replies else 0
        return Usage(request_bytes // _BYTES_PER_TOKEN, reply, 1)

    def _lacks(self, usage: Usage, usd: float, held: bool) -> str:
        """Why there is no room for a call beside what is spent, and held where that counts; "" where there is."""
        taken = self.spent + self._held if held else self.spent
        dollars = (self.spent_usd or 0.0) + (self._held_usd if held else 0.0)
        for name, spent, next_call, limit in (
            ("usd", dollars, usd, self.usd),
            ("tokens", taken.total_tokens, usage.total_tokens, self.tokens),
            ("calls", taken.calls, usage.calls, self.calls),
        ):
            if limit is not None and spent + next_call > limit:
                more = f", and the next call takes about {next_call:.2g}" if spent < limit else ""
                return f"the budget of {limit:g} {name} is spent ({spent:.4g}{more})"
        if self.usd is not None and self.spent_usd is None:
            return f"the budget of {self.usd:g} usd cannot be held: the server counts no tokens"
        elapsed = time.monotonic() - (self._started or time.monotonic())
        if self.seconds is not None and elapsed >= self.seconds:
            return f"the budget of {self.seconds:g} seconds is spent ({elapsed:.4g})"
        return ""
