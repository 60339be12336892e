"""Recorded calls: each complete answer is stored once and replayed for free.

A request is identified by a hash of its canonical body, so a stopped run can continue without paying twice. Errors,
refusals and cut-off answers are not stored. `call_store` handles the file.

Identical requests in flight are sent only once (single flight). The first caller sends the request and pays for it. All
other callers wait, and get its answer or its failure for free. If the first caller is cancelled, the next one sends.

Processes that share the file also wait for each other's answers, for about as long as an attempt may take. A process
locks one byte of a lock file while it sends a request. The system unlocks the byte when the process ends, even if it is
killed.
"""

import asyncio
import hashlib
import os
import time
import warnings
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from .budget import BudgetExceeded, ModelCall
from .call_store import CallStore, CannotRecord, cache_path
from .types import RecordingError, Reply, Request, Response

try:
    import fcntl
except ImportError:  # Windows: processes do not wait for each other's requests
    fcntl = None  # type: ignore[assignment]

Mode = Literal["auto", "replay", "refresh", "off"]
MODES: tuple[Mode, ...] = get_args(Mode)
Send = Callable[[], Coroutine[Any, Any, Response]]
Read = Callable[[Response, Request], Reply]
"""Turns the answer to a request into a reply; raises a ModelError if that is impossible."""

_LOOK = 0.05  # seconds between checks whether another process has ended its request
_in_flight: dict[tuple[str, str], asyncio.Task[Reply]] = {}  # by lock file and request key


def open_calls(path: Path | None, mode: Mode, address: str, patience: float) -> "RecordedCalls | None":
    """Open a file of recorded calls; without a path, the one in the cache folder.

    Returns:
        The calls. None for the mode "off", or, after a warning, if the file cannot be used.

    Raises:
        RecordingError: The file is damaged, or the mode is "replay" and the file cannot be used.
    """
    try:
        path = path or cache_path() / "calls.sqlite"
        return None if mode == "off" else RecordedCalls(CallStore(path), mode, address, patience)
    except CannotRecord as error:
        if mode == "replay":
            raise
        warn_once(f"{error}: answers are not recorded")
        return None


class RecordedCalls:
    """The stored answers of one server, and the requests in flight.

    Args:
        store: The file.
        mode: "auto" replays what is stored and stores the rest; "replay" sends nothing, so that a missing call is an
            error; "refresh" sends everything again and replaces what is stored.
        address: The server's address; part of each key.
        patience: Seconds to wait for another process's answer. After that, the request is sent again, because the
            other process may be stuck.
    """

    def __init__(self, store: CallStore, mode: Mode, address: str, patience: float = 120.0) -> None:
        self.store = store
        self._mode, self._address, self._patience = mode, address, patience
        self._locks = f"{store.path.resolve()}.lock"

    async def get_or_send(self, call: ModelCall, send: Send, read: Read) -> Reply:
        """Return the reply of the stored answer, or send the request and store its answer.

        Args:
            call: The call. Its budget may limit how long it waits for another caller's answer.
            send: Sends the request; used only if the answer is not stored and the request not in flight.
            read: Reads the answer. Only a readable answer that was not cut off is stored.

        Returns:
            The reply. It counts as recorded, and is free, if it was replayed or another caller paid for it.

        Raises:
            ModelError: The answer is not readable.
            RecordingError: The file is damaged, or the mode is "replay" and the call is not stored.
        """
        key = call_key(self._address + call.request.path, call.request)
        place = self._locks, key
        while other := _in_flight.get(place):
            await call.budget.wait_for(asyncio.wait([other]))
            if not (other.cancelled() or isinstance(other.exception(), BudgetExceeded)):
                return replace(other.result(), recorded=True)  # if it was cancelled, we send the request
        if stored := self._find(key, call, read):
            return stored
        _in_flight[place] = sending = asyncio.create_task(self._send_and_store(key, call, send, read))
        try:
            return await sending
        finally:
            del _in_flight[place]

    def _find(self, key: str, call: ModelCall, read: Read) -> Reply | None:
        """Return the reply of the stored answer, or None if the request must be sent."""
        found = self.store.get(key) if self._mode != "refresh" else None
        if found is None and self._mode == "replay":
            raise RecordingError(f"this call is not recorded in {self.store.path}, and recorded='replay' asks no model")
        return replace(read(Response(found.response, found.seconds), call.request), recorded=True) if found else None

    async def _send_and_store(self, key: str, call: ModelCall, send: Send, read: Read) -> Reply:
        byte, last_look = int(key[:15], 16), time.monotonic() + self._patience
        while not _lock(self._locks, byte) and time.monotonic() < last_look:
            await call.budget.wait_for(asyncio.sleep(_LOOK))
        try:
            if stored := self._find(key, call, read):  # another process has sent it in the meantime
                return stored
            response = await send()
            reply = read(response, call.request)
            try:
                if not reply.cut:
                    self.store.put(key, str(call.request.body.get("model", "")), response.text, reply.seconds)
            except RecordingError as error:
                warn_once(f"{error}: answers are not recorded")  # not raised, because this answer is paid for
            return reply
        finally:
            _lock(self._locks, byte, unlock=True)


def _lock(path: str, byte: int, unlock: bool = False) -> bool:
    """Lock or unlock a byte. Return False if another process holds it. If the disk has no locks, only warn once."""
    try:
        if fcntl:
            fcntl.lockf(_lock_file(path), fcntl.LOCK_UN if unlock else fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except BlockingIOError:
        return False
    except OSError as error:
        warn_once(f"{path} cannot be locked ({error}): other processes may send the same requests once more")
    return True


@cache  # stays open, because closing any descriptor of the file would release all locks of this process
def _lock_file(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@cache
def warn_once(message: str) -> None:
    """Warn the user once for each message."""
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def call_key(url: str, request: Request, salt: str = "") -> str:
    """Return the key of a request. Equal bodies have equal keys, whatever the order of their fields.

    >>> call_key("u", Request("", {"a": 1, "b": 2})) == call_key("u", Request("", {"b": 2, "a": 1}))
    True
    """
    return hashlib.sha256(b"\0".join((salt.encode(), url.encode(), request.content))).hexdigest()


def saved_seconds(calls: Iterable[tuple[float, bool]]) -> float:
    """Return how much longer concurrent calls would have taken if none had been replayed.

    Args:
        calls: The seconds of each call, and whether it was replayed.

    >>> saved_seconds([(3.0, True), (1.0, False)]), saved_seconds([(2.0, True)]), saved_seconds([(3.0, False)])
    (2.0, 2.0, 0.0)
    """
    timed = list(calls)
    live = max((seconds for seconds, replayed in timed if not replayed), default=0.0)
    return max((seconds for seconds, _ in timed), default=0.0) - live
