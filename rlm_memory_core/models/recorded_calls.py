"""Recorded calls: each complete answer is stored once and replayed for free.

A request is identified by a hash of its canonical body, so that a stopped run goes on
where it was without paying twice. Errors, refusals and cut-off answers are not stored.
`call_store` is the file.

Identical requests that are on their way at the same time are sent once (single flight).
The first caller to get the answer, or the failure, pays for it; the others get it free.
A request goes on while anyone waits for it, and is cancelled with the last caller, who
then pays for what it has taken. Where another process, or another `LLM`, of the same file has
sent the same request, this one waits for its answer, for about as long as an attempt may take.
"""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .budget import BudgetExceeded, ModelCall
from .call_store import CallStore, RecordedCall
from .key_locks import only_sender, warn_once
from .types import RecordingError, Reply, Request, Response

Mode = Literal["auto", "replay", "refresh", "off"]
MODES: tuple[Mode, ...] = get_args(Mode)
Send = Callable[[], Coroutine[Any, Any, Response]]
Read = Callable[[Response, int], Reply]
"""Makes a reply out of an answer and an estimate of the prompt's tokens; raises a ValueError where it is none."""


@dataclass(eq=False)
class _Flight:
    """One request on its way; `sender` is the call that it was first sent for, also when its caller has left."""

    task: asyncio.Task[Response]
    sender: ModelCall
    waiting: int = 0
    is_paid: bool = False


class RecordedCalls:
    """The answers of one server that are stored in a file, and the requests on their way.

    Args:
        store: The file.
        mode: "auto" replays what is stored and stores the rest; "replay" sends nothing, so that a missing call is an
            error; "refresh" sends everything again and replaces what is stored.
        address: The server's address; part of each key.
        patience: Seconds to wait for the answer of another process, before the request is sent once more.
    """

    def __init__(self, store: CallStore, mode: Mode, address: str, patience: float = 120.0) -> None:
        self.store = store
        self._mode, self._address, self._patience = mode, address, patience
        self._locks = f"{store.path.resolve()}.lock"
        self._flights: dict[str, _Flight] = {}

    async def get_or_send(self, call: ModelCall, send: Send, read: Read) -> tuple[Response, bool]:
        """Return the stored answer, or send the request and store its answer.

        Args:
            call: Is told who pays.
            send: Sends the request; used only if it is neither stored nor on its way.
            read: Reads the answer: only one that can be read, and was not cut off, is stored.

        Returns:
            The answer, and whether it is free: replayed, or paid by another caller.

        Raises:
            RecordingError: The file is damaged, or the mode is "replay" and the call is not stored.
        """
        key = call_key(self._address + call.request.path, call.request)
        while True:
            flight = self._flights.get(key)
            if flight is None:
                if stored := self._find(key):
                    return Response(stored.response, stored.seconds), True
                sending = asyncio.create_task(self._send_and_store(key, call.request, send, read))
                flight = self._flights[key] = _Flight(sending, call)
            try:
                return await self._join(key, flight, call)
            except BudgetExceeded:
                if flight.sender is call:
                    raise  # another caller's budget is no reason not to ask

    async def _join(self, key: str, flight: _Flight, call: ModelCall) -> tuple[Response, bool]:
        """Wait for the answer, and settle who pays."""
        flight.waiting += 1
        try:
            response = await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            is_free = flight.is_paid or (flight.waiting > 0 and not flight.task.done())  # someone else still waits
            flight.is_paid = flight.is_paid or not is_free
            call.payer = None if is_free else flight.sender
            if (flight.waiting == 0 or flight.task.done()) and self._flights.get(key) is flight:
                del self._flights[key]
            if flight.waiting == 0 and flight.task.cancel():
                await asyncio.wait([flight.task])  # leave nothing running
        return response, is_free

    def _find(self, key: str) -> RecordedCall | None:
        """Return the stored answer, or None where the request must be sent."""
        found = self.store.get(key) if self._mode != "refresh" else None
        if found is None and self._mode == "replay":
            raise RecordingError(f"this call is not recorded in {self.store.path}, and recorded='replay' asks no model")
        return found

    async def _send_and_store(self, key: str, request: Request, send: Send, read: Read) -> Response:
        async with only_sender(self._locks, key, self._patience):
            if stored := self._find(key):  # someone else has sent it meanwhile
                self._flights[key].is_paid = True
                return Response(stored.response, stored.seconds)
            response = await send()
            try:
                if not read(response, 0).cut:
                    model = str(request.body.get("model", ""))
                    self.store.put(key, model, response.text, response.seconds or 0.0)
            except RecordingError as error:
                # this answer is paid for, and the next one is worth having too
                warn_once(f"{error}: answers are not recorded")
            except ValueError:
                pass  # it holds nothing to use
            return response


def call_key(url: str, request: Request, salt: str = "") -> str:
    """Return the key of a request: equal for equal bodies, whatever the order of their fields.

    >>> call_key("u", Request("", {"a": 1, "b": 2})) == call_key("u", Request("", {"b": 2, "a": 1}))
    True
    """
    return hashlib.sha256(b"\0".join((salt.encode(), url.encode(), request.content))).hexdigest()


def saved_seconds(calls: Iterable[tuple[float, bool]]) -> float:
    """Return how much longer calls that were made at once would have taken, had none been replayed.

    Args:
        calls: Seconds of each call, and whether it was replayed.

    >>> saved_seconds([(3.0, True), (1.0, False)]), saved_seconds([(2.0, True)]), saved_seconds([(3.0, False)])
    (2.0, 2.0, 0.0)
    """
    timed = list(calls)
    live = max((seconds for seconds, replayed in timed if not replayed), default=0.0)
    return max((seconds for seconds, _ in timed), default=0.0) - live
