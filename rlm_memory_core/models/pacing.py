"""Pacing: as many calls at once as the server takes, and no more.

A transport that stands between the openai client and the network. It sends at once
whatever may be sent; where the server refuses (429, or 503 with Retry-After) it stops
for as long as it is told to, goes on with half as many calls at once, and climbs back
as calls succeed. Limits per minute are kept where they are known. Other failures are
not retried here: the openai client does that.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from .call_account import CLAIM, Claim
from .headers import SECONDS_HEADER
from .layer import Layer
from .rate_limits import Entry, Refusal, Window, json_object

ON_SENT = "rlm_memory_on_sent"
"""An extension of a request: a function that is called with the loop's time when the request goes out, and with None
when it has to go out again."""

PATIENT = "rlm_memory_patient"
"""An extension of a request: whether others go first where not all can go at once."""

_BYTES_PER_TOKEN = 4  # English prose as JSON
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0  # seconds, where the server names none
_ROUNDS_BACK = 8  # of calls, until as many may be in flight as were when the server refused
_PATIENCE = 120.0  # seconds, for a server that takes nothing
_REFUSALS = 16  # of one request: while the number at once is halved from 256 to 1 there are 8


@dataclass(frozen=True)
class Pace:
    """The limits that the user knows of; None where there is none.

    Args:
        concurrency: Requests in flight at once.
        requests_per_minute: In any 60 seconds.
        tokens_per_minute: Likewise: estimated from a request's size, and put right by what the server counted.

    Raises:
        ValueError: A limit is below 1.
    """

    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            if limit is not None and not limit >= 1:
                raise ValueError(f"{name} must be at least 1, not {limit}")


_NO_LIMITS = Pace()


class Pacing(Layer):
    """Sends requests when they may be sent; one for all calls of a client.

    A request that waits here has no timeout: that is for the server. A refused one goes
    out again before any other, and takes none of the client's retries. It is handed back
    to the client where no waiting helps (a spent quota, a request that is too large), and
    when it has been refused 16 times. All that wait are handed back where the server would
    have us wait for more than two minutes; and where it is at work on none of ours
    and has taken none for so long, or has refused `max_retries` times over without naming
    a time to wait. A 200 whose body is no JSON object broke on its way, as far as can be
    told, and is asked for once more where the budget has room for that.

    Args:
        inner: What really sends.
        pace: Limits to keep beside those that the server shows.
        max_retries: Of requests that are refused without a time to wait.

    `limit` is how many requests may be `in_flight` at once, for now.
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        pace: Pace = _NO_LIMITS,
        max_retries: int = 4,
    ) -> None:
        super().__init__(inner)
        self.in_flight = 0
        self.limit = self._most = float(pace.concurrency or math.inf)
        self._requests = Window(pace.requests_per_minute)
        self._tokens = Window(pace.tokens_per_minute)
        self._max_retries = max_retries
        self._queue: list[tuple[int, int, int, asyncio.Future[Entry]]] = []  # rank, order, tokens
        self._arrivals = 0
        self._shut_until = -math.inf
        self._sends = self._lowered = 0  # how many were sent, and how many were when the limit was lowered
        self._refusing_since = math.inf  # the first refusal since the server took a request
        self._bursts = 0  # of refusals since then
        self._step = 1.0
        self._timer: asyncio.TimerHandle | None = None

    def has_room(self, request: httpx2.Request) -> bool:
        """Whether a request would go out at once."""
        now = asyncio.get_running_loop().time()
        free = not self._queue and self.in_flight + 1 <= self.limit
        return free and self._opens(now, _tokens(request)) <= now

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send in turn, again where the server is busy."""
        await request.aread()
        rank = 2 if request.extensions.get(PATIENT) else 1
        refusals, unreadable = 0, False
        while True:
            try:
                entry = await self._turn(rank, request)
            except _GivenUpError as error:
                return error.again()
            sent = asyncio.get_running_loop().time()
            response, refusal = await self._send(request, sent)
            now = asyncio.get_running_loop().time()
            if refusal is None:
                body = json_object(response) if response.status_code == 200 else {}
                if body is None and not unreadable and _may_repeat(request):
                    unreadable, rank = True, 0
                    _tell(request, None)
                    continue
                _correct(entry, body or {})
                response.headers.setdefault(SECONDS_HEADER, str(now - sent))
                return response
            refusals += 1
            hopeless = self._is_hopeless(now, refusal)
            if refusal.final or hopeless or refusals == _REFUSALS:
                response.headers["x-should-retry"] = "false"  # to the openai client
                if hopeless:
                    self._give_up(response)
                return response
            rank = 0
            _tell(request, None)

    async def _send(self, request: httpx2.Request, sent: float) -> tuple[httpx2.Response, Refusal | None]:
        """Send, and learn from the answer before the next may go out."""
        _tell(request, sent)
        self._sends = send = self._sends + 1
        try:
            response = await self.inner.handle_async_request(request)
            await response.aread()
            refusal = Refusal.of(response)
            if refusal is None:
                self._took()
            elif not refusal.final:
                self._refused(send, refusal)
        finally:
            self.in_flight -= 1
            self._admit()
        return response, refusal

    async def _turn(self, rank: int, request: httpx2.Request) -> Entry:
        """Wait until a request may go out, and take its place."""
        if self.has_room(request):
            return self._take(_tokens(request))
        turn: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._queue, (rank, self._arrivals, _tokens(request), turn))
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # it came in the same moment
                self.in_flight -= 1
            turn.cancel()
            self._admit()
            raise

    def _take(self, tokens: int) -> Entry:
        now = asyncio.get_running_loop().time()
        self.in_flight += 1
        self._requests.take(now, 1)
        return self._tokens.take(now, tokens)

    def _admit(self) -> None:
        """Let out those who may go, and see to it that the next are looked at in time."""
        loop = asyncio.get_running_loop()
        while self._queue and self.in_flight + 1 <= self.limit:
            *_, tokens, turn = self._queue[0]
            if turn.done():  # cancelled
                heapq.heappop(self._queue)
                continue
            opens = self._opens(loop.time(), tokens)
            if opens > loop.time():
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = loop.call_at(opens, self._admit)
                return
            heapq.heappop(self._queue)
            turn.set_result(self._take(tokens))

    def _opens(self, now: float, tokens: int) -> float:
        """When a request of so many tokens may go out."""
        return max(self._shut_until, self._requests.opens(now, 1), self._tokens.opens(now, tokens))

    def _took(self) -> None:
        """The server took a request: climb."""
        self._bursts, self._refusing_since = 0, math.inf
        self.limit = min(self._most, self.limit + self._step / self.limit)

    def _refused(self, send: int, refusal: Refusal) -> None:
        """The server refused a request: stop, and lower the limit once for all that were out together."""
        now = asyncio.get_running_loop().time()
        self._refusing_since = min(self._refusing_since, now)
        if send > self._lowered:
            self.limit = max(1.0, min(self.limit, self.in_flight) // 2)
            self._step = max(1.0, self.limit / _ROUNDS_BACK)
            self._lowered = self._sends
            self._bursts += 1
        pause = refusal.seconds
        if pause is None:
            pause = min(_FIRST_PAUSE * 2.0 ** (self._bursts - 1), _LONGEST_PAUSE)
        self._shut_until = max(self._shut_until, now + pause)

    def _is_hopeless(self, now: float, refusal: Refusal) -> bool:
        """Whether to wait no longer for the server."""
        if refusal.seconds is not None and refusal.seconds > _PATIENCE:
            return True
        if self.in_flight:
            return False  # it may be busy with these
        if refusal.seconds is None and self._bursts > self._max_retries:
            return True
        return max(now, self._shut_until) > min(self._refusing_since, now) + _PATIENCE

    def _give_up(self, response: httpx2.Response) -> None:
        """Answer all that wait with the server's refusal, and begin afresh with the next request."""
        for *_, turn in self._queue:
            if not turn.done():
                turn.set_exception(_GivenUpError(response))
        self._queue.clear()
        self._bursts, self._refusing_since, self._shut_until = 0, math.inf, -math.inf


class _GivenUpError(Exception):
    """The server takes nothing, and says so with this response."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__()
        self._response = response

    def again(self) -> httpx2.Response:
        """The response once more, for another request."""
        names = ("content-type", "x-should-retry", "retry-after", "retry-after-ms")
        headers = {name: value for name, value in self._response.headers.items() if name in names}
        return httpx2.Response(self._response.status_code, headers=headers, content=self._response.content)


def _tell(request: httpx2.Request, sent: float | None) -> None:
    on_sent: Callable[[float | None], None] | None = request.extensions.get(ON_SENT)
    if on_sent is not None:
        on_sent(sent)


def _may_repeat(request: httpx2.Request) -> bool:
    """Whether what was paid for may be asked for, and paid for, once more; the call's budget then knows of it."""
    claim: Claim | None = request.extensions.get(CLAIM)
    return claim is None or claim.hold_again()


def _tokens(request: httpx2.Request) -> int:
    return len(request.content) // _BYTES_PER_TOKEN


def _correct(entry: Entry, body: dict[str, object]) -> None:
    """Put the estimate of a request's tokens right by the usage that came with its answer."""
    usage = body.get("usage")
    counted = usage.get("total_tokens") if isinstance(usage, dict) else None
    if isinstance(counted, int) and counted >= 0:
        entry.correct(counted)
