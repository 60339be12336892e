"""Retries of what another attempt may help: broken connections, timeouts, and statuses 408, 409 and 5xx.

Busy servers (429) are `pacing`'s part.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Callable, Coroutine
from random import random
from typing import Any

from .call import ModelCall
from .types import BackendError, Response

MAX_RETRIES = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0  # seconds, where the server names none
_PATIENCE = 120.0  # seconds; no retry where the server asks to wait longer


async def with_retries(
    attempt: Callable[[], Coroutine[Any, Any, Response]], call: ModelCall, max_retries: int
) -> Response:
    """Make attempts until one is answered; pause longer after each failure.

    Args:
        attempt: Sends the request once.
        call: Is told when an attempt begins.
        max_retries: Attempts after the first one.

    Raises:
        BackendError: The last attempt failed, or the failure is one that no retry can help.
    """
    for retries in range(max_retries + 1):
        call.begin_attempt()
        try:
            return await attempt()
        except BackendError as error:
            pause = error.retry_after
            if not error.retryable or retries == max_retries or (pause or 0.0) > _PATIENCE:
                raise
        if not pause:
            pause = min(_FIRST_PAUSE * 2.0**retries, _LONGEST_PAUSE) * (1 - random() / 4)
        await sleep(pause)
    raise AssertionError("the last attempt returns or raises")
