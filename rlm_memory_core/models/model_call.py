"""One call of a model: sent, read and paid for, or a `ModelError` in one line.

What a call takes is charged to its budget here, also where the answer is of no use, where further requests were
sent for it, and where a reply broke off. How a call is sent stands in `llm`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx2
import openai

from .budget import Budget, BudgetExceeded
from .call_account import Claim
from .call_store import RecordingError
from .client import NOT_SENT
from .headers import OVER_BUDGET_CODE, RECORDED_HEADER, REQUESTS_HEADER, SECONDS_HEADER
from .pricing import Usage, cost
from .responses import UnusableAnswer
from .streaming import BROKEN_OFF, hearing

_T = TypeVar("_T")
Stopped = Callable[[Usage, float | None], None]
"""Is told the usage and the dollars of a call that was cancelled: an estimate, for the server has told neither."""


class ModelError(Exception):
    """A model that could not be asked, or gave no answer; one line says what is wrong and what to do.

    Args:
        message: That line.
        usage: What the call took all the same, where the model answered with nothing to use.
        cost_usd: Its dollars; None where the price is not known.

    `said` is what was heard of a streamed reply that broke off; "" for any other.
    """

    said = ""

    def __init__(self, message: str, usage: Usage | None = None, cost_usd: float | None = 0.0) -> None:
        super().__init__(message)
        self.usage = usage or Usage(calls=1)
        self.cost_usd = cost_usd


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a model.

    Args:
        text: What it said.
        usage: Tokens as the server counted them, and one call.
        cost_usd: What the call costs, also when it was replayed; None where the price is not known.
        seconds: How long the server took, also when it was replayed.
        recorded: Whether it was replayed, and so free.
        cut: Whether it ends where the model's token limit did.
    """

    text: str
    usage: Usage
    cost_usd: float | None
    seconds: float
    recorded: bool
    cut: bool = False


async def call_model(
    send: Callable[[], Awaitable[httpx2.Response]],
    read: Callable[[httpx2.Response], tuple[_T, Usage]],
    budget: Budget | None,
    rates: tuple[float, float] | None,
    explain: Callable[[Exception], str],
    stopped: Stopped | None = None,
) -> tuple[_T, Usage, float | None, float, bool]:
    """Send one request, read its answer and charge what both took.

    Args:
        send: Sends the request.
        read: What is wanted of an answer, and its tokens; raises `UnusableAnswer` where there is nothing.
        budget: Checked before and charged after, or None.
        rates: Dollars per prompt and completion token; None where the price is not known.
        explain: One line on what went wrong.
        stopped: Is told what the call has taken where it is cancelled; None for nobody.

    Returns:
        What was read, its usage, dollars and seconds, and whether it was recorded: all but the first as in `Reply`.

    Raises:
        ModelError: No answer that is of use.
        BudgetExceeded: The budget is spent.
    """
    started = time.perf_counter()
    with Claim(budget, rates, hearing()) as claim:
        try:
            response = await send()
            recorded = RECORDED_HEADER in response.headers
            found, usage = read(response)
        except UnusableAnswer as error:  # paid for all the same
            usage = _with_further(error.usage, response, claim)
            dollars = cost(usage, rates)
            if not recorded:
                claim.charge(usage, dollars)
            raise ModelError(explain(error), usage, dollars) from error
        except (openai.OpenAIError, RecordingError, ValueError) as error:
            code = getattr(error, "code", None)
            if code == OVER_BUDGET_CODE:
                raise BudgetExceeded(budget.ended if budget else "") from None
            usage = _failed(claim, sent=code not in NOT_SENT, broken_off=code == BROKEN_OFF)
            dollars = cost(usage, rates) if usage.total_tokens else 0.0
            claim.charge(usage, dollars)
            raise ModelError(explain(error), usage, dollars) from error
        except asyncio.CancelledError:  # the server bills it all the same
            usage = claim.unanswered
            dollars = cost(usage, rates) if usage.total_tokens else 0.0
            claim.charge(usage, dollars)
            if stopped is not None:
                stopped(usage, dollars)
            raise
        usage = _with_further(usage, response, claim)
        seconds = float(response.headers.get(SECONDS_HEADER, time.perf_counter() - started))
        dollars = cost(usage, rates)
        if not recorded:
            claim.charge(usage, dollars)
    return found, usage, dollars, seconds, recorded


def _with_further(usage: Usage, response: httpx2.Response, claim: Claim) -> Usage:
    """What an answer took, with the further requests that were sent for it: each is paid for as the answer is.

    Those of earlier tries, which came to nothing, are counted without tokens.
    """
    paid = int(response.headers.get(REQUESTS_HEADER, 1))
    failed = 0 if RECORDED_HEADER in response.headers else max(claim.further - (paid - 1), 0)
    return sum([usage] * paid, Usage(calls=failed)) + claim.timed_out


def _failed(claim: Claim, sent: bool, broken_off: bool) -> Usage:
    """What a call without an answer took, and one call at least: tokens only where the server had begun with it."""
    if not (sent and claim.pays):
        return Usage()
    taken = claim.timed_out + ((claim.heard if broken_off else None) or Usage())
    return taken + Usage(calls=max(1 + claim.further - taken.calls, 0))
