"""Single flight: identical requests that are on their way at the same time are sent once.

The first caller to get the answer, or the failure, pays for it; the others get it free.
A request goes on while anyone waits for it, and is cancelled with the last caller, who
then pays for what it has taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from .call import ModelCall
from .types import Response


@dataclass(eq=False)
class Flight:
    """One request on its way.

    Args:
        key: Identifies the request.
        task: Sends it.
        sender: The call that it was first sent for. It knows what went out, also when its caller has left.
    """

    key: str
    task: asyncio.Task[Response]
    sender: ModelCall
    waiting: int = 0
    is_paid: bool = False


class SingleFlight:
    """The requests on their way, by key."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}

    def find(self, key: str) -> Flight | None:
        """Return the flight of a request, or None where none is on its way."""
        return self._flights.get(key)

    def start(self, key: str, sending: Coroutine[Any, Any, Response], sender: ModelCall) -> Flight:
        """Send a request that is not on its way."""
        flight = self._flights[key] = Flight(key, asyncio.create_task(sending), sender)
        return flight

    async def join(self, flight: Flight, call: ModelCall) -> tuple[Response, bool]:
        """Wait for the answer.

        Returns:
            The answer, and whether another caller pays for it.
        """
        flight.waiting += 1
        has_left = False
        try:
            response = await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            has_left = True
            raise
        finally:
            flight.waiting -= 1
            is_free = flight.is_paid or (has_left and flight.waiting > 0)
            flight.is_paid = flight.is_paid or not is_free
            call.paid_by(None if is_free else flight.sender)
            if (flight.waiting == 0 or flight.task.done()) and self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
            if flight.waiting == 0 and flight.task.cancel():
                await asyncio.wait([flight.task])  # leave nothing running
        return response, is_free
