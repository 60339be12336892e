"""What calls take: tokens, dollars, and a hard limit on both.

Prices come from `genai-prices`, which ships them with the package. A model whose
price is not known is counted in tokens only: its cost is None, never 0.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache

import genai_prices

OPENAI_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and calls; usages add up.

    >>> Usage(10, 2, 1) + Usage(5, 1, 1)
    Usage(prompt_tokens=15, completion_tokens=3, calls=2)
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.calls + other.calls,
        )


@lru_cache(maxsize=256)
def price(model: str, base_url: str | None = None) -> tuple[float, float] | None:
    """Dollars per prompt token and per completion token, or None where they are not known.

    >>> price("a model nobody has heard of") is None
    True
    """
    try:
        rates = [
            float(
                genai_prices.calc_price(
                    genai_prices.Usage(input_tokens=prompt, output_tokens=completion),
                    model,
                    provider_api_url=base_url or OPENAI_URL,
                ).total_price
            )
            for prompt, completion in ((1_000, 0), (0, 1_000))
        ]
    except LookupError:
        return None
    return rates[0] / 1_000, rates[1] / 1_000


def cost(usage: Usage, rates: tuple[float, float] | None) -> float | None:
    """Dollars of a usage at the given rates; None where the rates, or the tokens of its calls, are not known.

    >>> cost(Usage(10, 2, 1), (1.0, 2.0)), cost(Usage(0, 0, 1), (1.0, 2.0)), cost(Usage(0, 0, 1), (0.0, 0.0))
    (14.0, None, 0.0)
    """
    uncounted = usage.calls > 0 and usage.total_tokens == 0  # no call takes none: the server did not say
    if rates is None or (uncounted and any(rates)):
        return None
    return usage.prompt_tokens * rates[0] + usage.completion_tokens * rates[1]


class BudgetExceeded(Exception):
    """A limit was reached before a call; the message says which."""


@dataclass
class Budget:
    """A limit shared by all calls that are given it, checked before each of them.

    It can be overrun only by what is in flight when it is reached. Replayed calls are free.

    Args:
        usd, tokens, calls, seconds: Limits; None for none. Seconds count from the first check.

    `spent` and `spent_usd` say what was paid for; dollars are None where a price is not known.
    """

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    spent: Usage = field(default_factory=Usage, init=False)
    spent_usd: float | None = field(default=0.0, init=False)
    _started: float | None = field(default=None, init=False)

    def check(self) -> None:
        """Allow another call.

        Raises:
            BudgetExceeded: A limit is reached.
        """
        if self._started is None:
            self._started = time.monotonic()
        for name, spent, limit in (
            ("usd", self.spent_usd or 0.0, self.usd),
            ("tokens", self.spent.total_tokens, self.tokens),
            ("calls", self.spent.calls, self.calls),
            ("seconds", time.monotonic() - self._started, self.seconds),
        ):
            if limit is not None and spent >= limit:
                raise BudgetExceeded(f"the budget of {limit:g} {name} is spent ({spent:.4g})")
        if self.usd is not None and self.spent_usd is None:
            raise BudgetExceeded(
                f"the budget of {self.usd:g} usd cannot be held: what was spent is not known "
                "(the model has no price, or its server counts no tokens)"
            )

    def allows(self) -> bool:
        """Whether another call would be allowed now."""
        try:
            self.check()
        except BudgetExceeded:
            return False
        return True

    def charge(self, usage: Usage, usd: float | None) -> None:
        """Count a call that was paid for; from the first of unknown price on, the dollars spent are not known."""
        self.spent += usage
        self.spent_usd = None if usd is None or self.spent_usd is None else self.spent_usd + usd
