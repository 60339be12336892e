"""Shows on standard error whom a command waits for and since when. Gives up on a server that stays silent."""

import sys
import time
from collections.abc import AsyncGenerator
from threading import Event, Thread

from ..models.types import Backend, Request, Response, TimedOut
from .common import printable


class Waiting:
    """Shows within a `with` block that the command waits.

    On a terminal it updates one line. Elsewhere it prints a line after one second, and then every 30 seconds.

    Args:
        timeout: Give up on the server after so many seconds of silence.

    Pass `watch` to `connect(wrap=...)`. Calls then go through this object, which counts them and notices silence.
    `whom` names the server, such as "m at http://localhost:8000/v1".
    """

    whom: str

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._asked, self._answered, self._is_silent = 0, 0, False

    def watch(self, backend: Backend) -> Backend:
        """Send calls on to this backend."""
        self._backend = backend
        return self

    async def send(self, request: Request) -> Response:
        """Send a call. Once a call times out and the server answered nothing meanwhile, send no more."""
        self._asked += 1
        answered = self._answered
        if self._is_silent:
            raise TimedOut("the server is silent", retryable=False)
        try:
            response = await self._backend.send(request)
        except TimedOut as error:
            self._is_silent = self._answered == answered
            raise TimedOut(str(error), retryable=not self._is_silent) from error
        self._answered += 1
        return response

    def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Stream a call. It is not watched, because no command streams."""
        return self._backend.stream(request)

    def __enter__(self) -> None:
        self._since, self._began = time.strftime("%H:%M:%S"), time.monotonic()
        self._is_silent, self._done = False, Event()
        self._thread = Thread(target=self._tell, args=(sys.stderr.isatty(),), daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _tell(self, is_terminal: bool) -> None:
        pause, later, end = (0.0, 0.5, "\r") if is_terminal else (1.0, 30.0, "\n")
        while not self._done.wait(pause):
            print(self._line(), end=end, file=sys.stderr, flush=True)
            pause = later
        if is_terminal:
            print("\x1b[K", end="", file=sys.stderr, flush=True)  # clears the line

    def _line(self) -> str:
        waited = f"since {self._since} ({time.monotonic() - self._began:.0f} s)"
        counted = f", {self._answered:,} of {self._asked:,} calls answered" if self._asked > 1 else ""
        return printable(f"waiting for {self.whom} {waited}{counted}; gives up after {self._timeout:g} s of silence")
