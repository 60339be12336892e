"""A hard limit on dollars, tokens, calls or seconds, shared by all calls that are given it.

Each call reserves an estimate before it is sent and pays the real price afterwards. Calls
in flight therefore cannot pass the limit together: it is overrun by at most the error of
their estimates. Prices are in `pricing`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from .pricing import Usage

_REPLY_TOKENS = 250  # expected of a chat completion until longer replies are seen
_NOT_PICKLED = ("_held", "_held_usd", "_turn", "_settled")  # belong to the calls in flight in this process


class BudgetExceeded(Exception):
    """A limit was reached before a call; the message says which."""


@dataclass
class Budget:
    """A limit shared by all calls that are given it, checked before each of them.

    A call waits while only the reservations of calls in flight leave no room for it. The
    first call that does not fit beside what is already spent ends the budget: it is
    refused, and so is every later call, even a smaller one, so that cheap calls get no
    advantage. Replayed calls are free and never refused.

    Args:
        usd: Dollars; None for no limit.
        tokens: Prompt and completion tokens together; None for no limit.
        calls: Number of calls; None for no limit.
        seconds: Seconds since the first call; None for no limit.

    `spent` and `spent_usd` count what was paid for. Stopped calls and timeouts are counted by their estimate, because
    the server bills them all the same. `spent_usd` is None once a price is not known.
    `ended` says in one line why no more calls are sent; "" before that.

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
        """Pickle what is spent and the age in seconds, because clocks differ; leave reservations behind."""
        kept = {name: value for name, value in vars(self).items() if name not in _NOT_PICKLED}
        return {**kept, "_started": None if self._started is None else time.monotonic() - self._started}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore what is spent and set the start back by the age."""
        elapsed = state["_started"]
        started = None if elapsed is None else time.monotonic() - elapsed
        vars(self).update({**vars(Budget()), **state, "_started": started})

    async def reserve(self, usage: Usage, usd: float) -> None:
        """Reserve the estimate of a call; wait while only reservations leave no room for it.

        Args:
            usage: The estimated tokens and calls, to be given back by `release`.
            usd: The estimated dollars, likewise.

        Raises:
            BudgetExceeded: What is already spent leaves no room.
        """
        if self._started is None:
            self._started = time.monotonic()
        async with self._turn:  # first come, first served
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

    def try_reserve(self, usage: Usage, usd: float) -> bool:
        """Reserve for an optional request if there is room right now.

        An optional request never takes room that a call waits for, and never ends the budget.

        Returns:
            Whether the estimate was reserved; if so, `release` gives it back.
        """
        if self.ended or self._turn.locked() or self._lacks(usage, usd, held=True):
            return False
        self._held += usage
        self._held_usd += usd
        return True

    def release(self, usage: Usage, usd: float) -> None:
        """Give back the reservation of a call that has ended."""
        self._held -= usage
        self._held_usd = self._held_usd - usd if self._held.calls else 0.0  # drop rounding errors
        self._settled.set()

    def charge(self, usage: Usage, usd: float | None) -> None:
        """Count a call that was paid for. After the first call of unknown price, `spent_usd` stays None."""
        self.spent += usage
        self.spent_usd = None if usd is None or self.spent_usd is None else self.spent_usd + usd

    def expected(self, prompt_tokens: int, replies: bool) -> Usage:
        """Estimate one request; `replies` says whether the model writes a text."""
        written = self.spent.completion_tokens // max(self.spent.calls, 1)
        reply = max(_REPLY_TOKENS, written) if replies else 0
        return Usage(prompt_tokens, reply, 1)

    def _lacks(self, usage: Usage, usd: float, held: bool) -> str:
        """Say which limit a call would pass, counting reservations if `held`; "" where it fits."""
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
