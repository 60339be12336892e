"""Token counts of calls, and their price in dollars. `budget` limits both.

Prices come from the package `genai-prices`. If a model's price is unknown, its cost is None, never 0, and only its
tokens are counted.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

OPENAI_URL = "https://api.openai.com/v1"
Rates = tuple[float, float] | None
"""Dollars per prompt token and per completion token; None if they are unknown."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of tokens and calls. `estimated` is True if the server did not count some tokens, so we estimated them.

    >>> Usage(10, 2, 1) + Usage(5, 1, 1)
    Usage(prompt_tokens=15, completion_tokens=3, calls=2)
    >>> Usage(10, 2, 1) * 3
    Usage(prompt_tokens=30, completion_tokens=6, calls=3)
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    estimated: bool = field(default=False, compare=False, repr=False)

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Usage") -> "Usage":
        prompt = self.prompt_tokens + other.prompt_tokens
        completion = self.completion_tokens + other.completion_tokens
        return Usage(prompt, completion, self.calls + other.calls, self.estimated or other.estimated)

    def __sub__(self, other: "Usage") -> "Usage":
        return self + other * -1

    def __mul__(self, times: int) -> "Usage":
        return Usage(self.prompt_tokens * times, self.completion_tokens * times, self.calls * times, self.estimated)


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine can reach a host.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("0.0.0.0"), is_loopback("127.evil.example")
    (True, True, False, False)
    """
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


@lru_cache(maxsize=256)
def price(model: str, base_url: str | None = None) -> Rates:
    """Return dollars per prompt token and per completion token, or None if they are unknown.

    A server on this machine may be a proxy that forwards calls to a paid service. If it serves a model with a known
    price, calls have that price. All other models on this machine are free.

    >>> price("a model nobody has heard of"), price("any model", "http://localhost:11434/v1")
    (None, (0.0, 0.0))
    """
    if is_loopback(urlsplit(base_url or "").hostname or ""):
        # "litellm" knows models of all makers, also by names like "openai/gpt-4o"
        return price(model) or _rates(model, provider_id="litellm") or (0.0, 0.0)
    return _rates(model, provider_api_url=base_url or OPENAI_URL)


def _rates(model: str, **provider: Any) -> Rates:
    import genai_prices  # imported only here, because it is slow

    def dollars(**usage: int) -> float:  # the total, because some providers also charge for each request
        return float(genai_prices.calc_price(genai_prices.Usage(**usage), model, **provider).total_price)

    with suppress(LookupError):
        return dollars(input_tokens=1_000) / 1_000, dollars(output_tokens=1_000) / 1_000
    return None


def cost(usage: Usage, rates: Rates) -> float | None:
    """Return the price of a usage in dollars, or None if the rates are unknown. A usage without tokens costs 0.

    Args:
        usage: Tokens and calls.
        rates: Dollars per prompt token and per completion token, or None.

    >>> cost(Usage(10, 2, 1), (1.0, 2.0)), cost(Usage(10, 2, 1), None)
    (14.0, None)
    """
    if rates is None:
        return None if usage.total_tokens else 0.0
    return usage.prompt_tokens * rates[0] + usage.completion_tokens * rates[1]
