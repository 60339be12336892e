"""Recorded calls: each complete answer is stored once and replayed for free.

A request is identified by a hash of its canonical body, so that a stopped run goes on
where it was without paying twice. Errors, refusals and cut-off answers are not stored.
`call_store` is the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal, get_args

from .call_store import CallStore, RecordingError
from .normalise import is_complete
from .types import Request, Response

Mode = Literal["auto", "replay", "refresh", "off"]
MODES: tuple[Mode, ...] = get_args(Mode)


class NotRecorded(RecordingError):
    """A request that would have to be sent, although recorded="replay" sends none."""


class RecordedCalls:
    """The answers of one server that are stored in a file.

    Args:
        store: The file.
        mode: "auto" replays what is stored and stores the rest; "replay" sends nothing, so that a missing call is an
            error; "refresh" sends everything again and replaces what is stored.
        address: The server's address; part of each key.
        salt: What else decides the answers, such as the version of the offline reader.
    """

    def __init__(self, store: CallStore, mode: Mode, address: str, salt: str = "") -> None:
        self.store = store
        self._mode = mode
        self._address = address
        self._salt = salt
        self._cannot_write: RecordingError | None = None

    def key(self, request: Request) -> str:
        """Return the key of a request."""
        return call_key(self._address + request.path, request, self._salt)

    def find(self, key: str) -> Response | None:
        """Return the stored answer, or None where the request must be sent.

        Raises:
            NotRecorded: It is not stored, and the mode is "replay".
            RecordingError: The file is damaged, or could not store an earlier answer.
        """
        found = self.store.get(key) if self._mode != "refresh" else None
        if found is not None:
            return Response(found.response, found.seconds)
        if self._mode == "replay":
            raise NotRecorded(f"this call is not recorded in {self.store.path}, and recorded='replay' asks no model")
        if self._cannot_write is not None:
            raise self._cannot_write
        return None

    async def keep(self, key: str, request: Request, response: Response) -> None:
        """Store an answer if it is complete.

        A failure is raised by the next `find` instead of here, because this answer is paid for.
        """
        if not is_complete(response.body):
            return
        try:
            await self.store.put(key, str(request.body.get("model", "")), response.text, response.seconds or 0.0)
        except RecordingError as error:
            self._cannot_write = error


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
