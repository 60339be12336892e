"""Recorded calls: each model answer stored once, and replayed for free.

An HTTP transport that stands under the openai client. A request is known by a
hash of its canonical body, so that a run which was stopped goes on from where it
was without paying twice. Errors, refusals, streams and cut-off answers are not kept.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Literal, get_args

import httpx2

from .database import open_database

Mode = Literal["auto", "replay", "refresh", "off"]
MODES: tuple[Mode, ...] = get_args(Mode)
RECORDED_HEADER = "x-rlm-memory-recorded"
SECONDS_HEADER = "x-rlm-memory-seconds"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    response TEXT NOT NULL,
    checksum TEXT NOT NULL,
    seconds REAL NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID
"""


class RecordingError(Exception):
    """A file of recorded calls that cannot be used; the message says why and what to do."""


class CallStore:
    """The SQLite file of recorded calls, safe for several threads and processes.

    Args:
        path: The file, made if it is not there.

    Raises:
        RecordingError: The file cannot be opened, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = open_database(path, "NORMAL", _prepare)
        except (sqlite3.Error, OSError) as error:
            raise RecordingError(f"cannot use {path} for recorded calls ({error}); move it away") from error

    def get(self, key: str) -> tuple[str, float] | None:
        """The response body and its seconds, or None where the call is not recorded."""
        try:
            with self._lock:
                row = self._db.execute("SELECT response, checksum, seconds FROM calls WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise RecordingError(f"recorded calls in {self.path} cannot be read ({error}); move it away") from error
        if row is None:
            return None
        response, checksum, seconds = row
        if checksum != _digest(response):
            raise RecordingError(
                f"a recorded call in {self.path} is damaged (its checksum differs); move the file away"
            )
        return response, seconds

    def put(self, key: str, model: str, response: str, seconds: float) -> None:
        """Store a call; one that is there already is replaced."""
        row = (key, model, response, _digest(response), seconds)
        try:
            with self._lock:
                self._db.execute(
                    "INSERT OR REPLACE INTO calls (key, model, response, checksum, seconds) VALUES (?, ?, ?, ?, ?)", row
                )
        except sqlite3.Error as error:
            raise RecordingError(f"cannot record calls in {self.path} ({error}); move it away") from error

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM calls").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class RecordingTransport(httpx2.AsyncBaseTransport):
    """Answers recorded requests from the file and records the others.

    Args:
        inner: The transport that really asks.
        calls: Where answers are kept.
        mode: "auto" replays what is recorded and records the rest; "replay" never
            asks (a miss is an error); "refresh" asks again and replaces.
        salt: What beside the request decides the answer, such as the server's
            address or the offline reader's version.

    Raises:
        ValueError: The mode is none of these.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, calls: CallStore, mode: Mode = "auto", salt: str = "") -> None:
        if mode not in MODES or mode == "off":
            raise ValueError(f"recorded must be one of {', '.join(MODES)}, not {mode!r}")
        self.inner = inner
        self.calls = calls
        self.mode = mode
        self.salt = salt

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Replay or forward one request."""
        try:
            return await self._handle(request)
        except RecordingError as error:
            return _refuse(500, str(error), "recording_damaged")

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        body = _json(await request.aread())
        if body is None or body.get("stream"):
            return await self.inner.handle_async_request(request)
        key = call_key(str(request.url), body, self.salt)
        if self.mode != "refresh":
            found = self.calls.get(key)
            if found is not None:
                headers = {"content-type": "application/json", RECORDED_HEADER: "1", SECONDS_HEADER: str(found[1])}
                return httpx2.Response(200, headers=headers, text=found[0])
            if self.mode == "replay":
                missing = f"this call is not recorded in {self.calls.path}, and recorded='replay' asks no model"
                return _refuse(404, missing, "not_recorded")
        started = time.perf_counter()
        response = await self.inner.handle_async_request(request)
        text = (await response.aread()).decode("utf-8", "replace")
        seconds = float(response.headers.get(SECONDS_HEADER, time.perf_counter() - started))
        if response.status_code == 200 and is_complete(_json(text.encode())):
            self.calls.put(key, str(body.get("model", "")), text, seconds)
        headers = {"content-type": response.headers.get("content-type", ""), SECONDS_HEADER: str(seconds)}
        kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        await response.aclose()
        return httpx2.Response(response.status_code, headers={**kept, **headers}, text=text)

    async def aclose(self) -> None:
        """Close the inner transport and the file."""
        await self.inner.aclose()
        self.calls.close()


_KEPT = ("retry-after", "retry-after-ms", "x-should-retry", "x-request-id", "x-rlm-memory-requests")


def call_key(url: str, body: dict[str, Any], salt: str = "") -> str:
    """The name of a request: the same for the same body, whatever the order of its fields.

    >>> call_key("u", {"a": 1, "b": 2}) == call_key("u", {"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return _digest("\0".join((salt, url, canonical)))


def is_complete(response: dict[str, Any] | None) -> bool:
    """Whether a chat completion (or list of embeddings) ended as it should: not refused, not cut off."""
    if response is None:
        return False
    if response.get("object") == "list":
        return bool(response.get("data"))
    choices = response.get("choices")
    return isinstance(choices, list) and bool(choices) and all(map(_is_whole, choices))


def _is_whole(choice: Any) -> bool:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return False
    return choice.get("finish_reason") == "stop" and bool(message.get("content")) and not message.get("refusal")


def _prepare(database: sqlite3.Connection) -> None:
    database.execute(_SCHEMA)


def _refuse(status: int, message: str, code: str) -> httpx2.Response:
    # with this header the openai client does not try again
    headers = {"x-should-retry": "false"}
    return httpx2.Response(status, headers=headers, json={"error": {"message": message, "code": code}})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _json(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
