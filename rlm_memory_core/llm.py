"""The one seam to models: `connect()` gives a thin `LLM` over one shared openai client.

What is ours sits under the client as transports, one on another: recorded calls, second
copies of late calls, pacing, HTTP; or the offline reader for `model="offline"`. Whoever
answers, the code above the client is the same. The client itself tries again what may
help (broken connections, timeouts, 408, 409 and 5xx); pacing waits where the server is
busy. No prompt is worded here.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import openai
from platformdirs import user_cache_path

from . import background
from .budget import OVER_BUDGET_CODE, Budget, BudgetExceeded, BudgetTransport, Claim
from .call_store import CallStore, RecordingError
from .embeddings import Embeddings, batches, read_embeddings
from .escaping import well_formed
from .hedging import Hedging
from .offline import OfflineTransport
from .pacing import Pace, Pacing
from .pricing import OPENAI_URL, Usage, cost, price
from .prompts import ChatMessage
from .recording import (
    MODES,
    NOT_RECORDED,
    RECORDED_HEADER,
    REQUESTS_HEADER,
    SECONDS_HEADER,
    UNUSABLE,
    Mode,
    RecordingTransport,
    saved_seconds,
)
from .responses import UnusableAnswer, body_message, first_line, read_completion
from .streaming import BROKEN_OFF, Listener, Streaming, heard_by, unfinished
from .transport import HttpTransport as _HttpTransport

OFFLINE = "offline"
OFFLINE_LABEL = "offline reader (no LLM)"
_OFFLINE_URL = "http://offline.invalid/v1"
_MAX_RETRIES = 4
_NOT_SENT = (NOT_RECORDED, UNUSABLE)  # refused by our own recording, as an error's code
_T = TypeVar("_T")

Wrap = Callable[[httpx2.AsyncBaseTransport], httpx2.AsyncBaseTransport]
"""Makes a transport out of the one that asks the server, such as one that waits first."""


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


class LLM:
    """A model behind an OpenAI-compatible server; make one with `connect`."""

    def __init__(
        self,
        model: str,
        base_url: str | None,
        api_key: str | None,
        recorded: Mode,
        *,
        calls_path: Path | None,
        temperature: float | None,
        timeout: float,
        rates: tuple[float, float] | None,
        wrap: Wrap | None,
        pace: Pace,
    ) -> None:
        self.model = model
        self.base_url = base_url
        self.recorded = recorded
        self._api_key = api_key
        self._calls_path = calls_path
        self._timeout = timeout
        self._temperature = temperature
        self._wrap = wrap
        self.pace = pace
        self.rates = rates

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process goes a description, without client and key: that process reads its own environment."""
        sent = {name: value for name, value in vars(self).items() if name not in ("_client", "_api_key")}
        return _received, (tuple(sent.items()),)

    @property
    def label(self) -> str:
        """How tables and figures name the model; the offline reader is never shown as an LLM."""
        return OFFLINE_LABEL if self.model == OFFLINE else self.model

    @property
    def is_local(self) -> bool:
        """Whether asking costs no dollars: the offline reader, or a server on this machine."""
        host = urlsplit(self.base_url or "").hostname or ""
        return self.model == OFFLINE or host in ("localhost", "::1") or host.startswith("127.")

    def open(self) -> None:
        """Make the client now rather than at the first call, so that a missing key or a broken cache shows at once.

        Raises:
            ModelError: There is no API key.
            RecordingError: The recorded calls cannot be opened.
        """
        background.run(self._opened())

    async def _opened(self) -> None:
        _ = self._client

    async def complete(
        self, messages: Sequence[ChatMessage], budget: Budget | None = None, listener: Listener | None = None
    ) -> Reply:
        """Ask for one answer.

        Args:
            messages: The conversation, in the chat-completions form.
            budget: Checked before the call and charged after it. A reply that breaks off, or is heard no further, is
                charged by an estimate.
            listener: Hears the answer as it comes, and a recorded one in one piece; None to wait for the whole.

        Raises:
            ModelError: No answer, after retries where a retry can help; none helps once a piece was heard.
            BudgetExceeded: The budget is spent.
        """
        return await background.arun(self._complete(messages, budget, listener))

    async def embed(self, texts: Sequence[str], budget: Budget | None = None) -> Embeddings:
        """Ask for the vectors of texts, in as many calls as their number and length take.

        The budget and the errors are those of `complete`, for each call.
        """
        return await background.arun(self._embed(texts, budget))

    def another(self, model: str) -> LLM:
        """Another model of the same server, with the same key, the same recorded calls, and limits like this one's."""
        return connect(
            model, self.base_url, self._api_key, self.recorded, calls_path=self._calls_path, timeout=self._timeout,
            **vars(self.pace),
        )  # fmt: skip

    async def _complete(
        self, messages: Sequence[ChatMessage], budget: Budget | None, listener: Listener | None = None
    ) -> Reply:
        send = partial(self._post, messages)
        try:
            with heard_by(listener):
                said, usage, dollars, seconds, recorded = await self._call(send, read_completion, budget)
        except ModelError as error:
            error.said = listener.text if listener else ""
            raise
        if listener is not None:
            listener.end(said.text)
        return Reply(said.text, usage, dollars, seconds, recorded, said.cut)

    async def _embed(self, texts: Sequence[str], budget: Budget | None) -> Embeddings:
        done: list[Usage] = []

        async def embed(batch: Sequence[str]) -> tuple[list[list[float]], Usage, float | None, float, bool]:
            embedded = await self._embed_batch(batch, budget)
            done.append(embedded[1])
            return embedded

        try:
            asked = await background.gather(map(embed, batches(texts)))
        except ModelError as error:  # the batches that were answered are paid for
            usage = sum(done, error.usage)
            raise ModelError(str(error), usage, None if error.cost_usd is None else cost(usage, self.rates)) from error
        usage = sum((usage for _, usage, *_ in asked), Usage())
        vectors = [vector for found, *_ in asked for vector in found]
        replayed = saved_seconds((seconds, recorded) for *_, seconds, recorded in asked)
        return Embeddings(vectors, usage, cost(usage, self.rates), replayed)

    async def _embed_batch(
        self, batch: Sequence[str], budget: Budget | None
    ) -> tuple[list[list[float]], Usage, float | None, float, bool]:
        body = {"model": self.model, "input": batch, "encoding_format": "base64"}  # as the openai client asks too
        send = partial(self._send, "/embeddings", body)
        return await self._call(send, partial(read_embeddings, expected=len(batch)), budget)

    async def _call(
        self,
        send: Callable[[], Awaitable[httpx2.Response]],
        read: Callable[[httpx2.Response], tuple[_T, Usage]],
        budget: Budget | None,
    ) -> tuple[_T, Usage, float | None, float, bool]:
        """One call: what was read, and the rest of a `Reply`."""
        if budget is not None and budget.usd is not None and self.rates is None:
            raise ModelError(
                f"the price of {self.model} is not known, so that a budget in dollars cannot be held: "
                "give connect() its rates, or limit tokens"
            )
        started = time.perf_counter()
        with Claim(budget, self.rates) as claim:
            try:
                response = await send()
                recorded = RECORDED_HEADER in response.headers
                found, usage = read(response)
            except UnusableAnswer as error:  # paid for all the same
                usage = _with_further(error.usage, response, claim)
                dollars = cost(usage, self.rates)
                if not recorded:
                    claim.charge(usage, dollars)
                raise ModelError(self._explain(error), usage, dollars) from error
            except (openai.OpenAIError, RecordingError, ValueError) as error:
                code = getattr(error, "code", None)
                if code == OVER_BUDGET_CODE:
                    raise BudgetExceeded(budget.ended if budget else "") from None
                taken = unfinished() if code == BROKEN_OFF else None
                # else: no tokens that anybody knows of
                usage = taken or Usage(calls=0 if code in _NOT_SENT else 1 + claim.further)
                dollars = cost(usage, self.rates) if taken else 0.0
                claim.charge(usage, dollars)
                raise ModelError(self._explain(error), usage, dollars) from error
            except asyncio.CancelledError:
                if taken := unfinished():  # what was heard is paid for
                    claim.charge(taken, cost(taken, self.rates))
                raise
            usage = _with_further(usage, response, claim)
            seconds = float(response.headers.get(SECONDS_HEADER, time.perf_counter() - started))
            dollars = cost(usage, self.rates)
            if not recorded:
                claim.charge(usage, dollars)
        return found, usage, dollars, seconds, recorded

    async def _post(self, messages: Sequence[ChatMessage]) -> httpx2.Response:
        """One request. It goes past the SDK's typed models, which take half of a call's time."""
        sendable = [{**message, "content": well_formed(message["content"])} for message in messages]
        body: dict[str, Any] = {"model": self.model, "messages": sendable}
        if self._temperature is not None:
            try:
                return await self._send("/chat/completions", {**body, "temperature": self._temperature})
            except openai.BadRequestError as error:
                if "temperature" not in str(error):
                    raise
                self._temperature = None  # reasoning models take none: remember, and ask without
            except openai.NotFoundError as error:
                if error.code != NOT_RECORDED:
                    raise  # else: a reasoning model's calls are recorded without a temperature
        return await self._send("/chat/completions", body)

    async def _send(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        return await self._client.post(path, body=body, cast_to=httpx2.Response)

    @cached_property
    def _client(self) -> openai.AsyncOpenAI:
        """Made at the first call: the client costs 22 ms, and one without a key raises when made."""
        key = self._key()
        url = self.base_url or OPENAI_URL
        transport: httpx2.AsyncBaseTransport
        if self.model == OFFLINE and self.base_url is None:
            reader = OfflineTransport()
            url, transport, salt = _OFFLINE_URL, reader, reader.fingerprint
        else:
            transport, salt = _HttpTransport(), ""
        if self._wrap is not None:
            transport = self._wrap(transport)
        is_reader = isinstance(transport, OfflineTransport)
        transport = Streaming(transport)
        if not is_reader:
            transport = Hedging(Pacing(transport, self.pace, _MAX_RETRIES))
        transport = BudgetTransport(transport)
        if self.recorded != "off":
            transport = RecordingTransport(
                transport, CallStore(self._calls_path or cache_path() / "calls.sqlite"), self.recorded, salt
            )
        client = openai.AsyncOpenAI(
            api_key=key,
            base_url=url,
            max_retries=_MAX_RETRIES,
            timeout=self._timeout,
            http_client=httpx2.AsyncClient(transport=transport, timeout=self._timeout, follow_redirects=True),
        )
        background.on_exit(client.close)
        return client

    def _key(self) -> str:
        key = self._api_key or os.environ.get("OPENAI_API_KEY")
        if key:
            return key
        if self.model == OFFLINE or self.base_url or self.recorded == "replay":
            return "none"  # local servers and replays want no key, but the client wants a string
        raise ModelError(
            f"no API key for {self.model}: set OPENAI_API_KEY, or name a local server with base_url, "
            'or use model="offline"'
        )

    def _explain(self, error: Exception) -> str:
        """One line on what went wrong. Servers and proxies may repeat what they were sent: the key is taken out."""
        if isinstance(error, RecordingError):
            return str(error)
        tell = partial(first_line, secret=self._api_key or os.environ.get("OPENAI_API_KEY"))
        where = tell(self.base_url or "the OpenAI API")
        if isinstance(error, openai.AuthenticationError):
            return f"{where} refused the API key: check OPENAI_API_KEY"
        if isinstance(error, openai.APITimeoutError) and not isinstance(error.__cause__, httpx2.ConnectTimeout):
            return f"{where} did not answer within {self._timeout:g} s"
        if isinstance(error, openai.APIConnectionError):
            return f"cannot reach {where} ({tell(error.__cause__ or error)}): check the address and that it runs"
        if isinstance(error, openai.APIStatusError):
            if error.code in _NOT_SENT:
                return body_message(error)  # our own line, and no server's
            if error.code == BROKEN_OFF:
                return f"{where} broke off in mid-reply: {tell(body_message(error))}"
            return f"{where} answered {error.status_code} for {self.model}: {tell(body_message(error))}"
        return f"{self.model} gave no usable answer: {tell(error)}"


@cache
def _received(description: tuple[tuple[str, Any], ...]) -> LLM:
    """The model of a description: one for all questions that a process is sent, as a client is costly and shared."""
    llm = LLM.__new__(LLM)
    vars(llm).update(description, _api_key=None)
    return llm


def connect(
    model: str = OFFLINE,
    base_url: str | None = None,
    api_key: str | None = None,
    recorded: Mode = "auto",
    *,
    calls_path: Path | None = None,
    temperature: float | None = 0.0,
    timeout: float = 120.0,
    rates: tuple[float, float] | None = None,
    wrap: Wrap | None = None,
    concurrency: int | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
) -> LLM:
    """Name a model; nothing is sent until it is asked.

    Args:
        model: The server's name for it, or "offline" for the reader that needs no model.
        base_url: An OpenAI-compatible server, such as "http://localhost:11434/v1"; None takes OPENAI_BASE_URL,
            or else OpenAI's own.
        api_key: None takes OPENAI_API_KEY; a server named by base_url may need none.
        recorded: "auto", "replay", "refresh" or "off"; see `recording`.
        calls_path: Where recorded calls are kept; None for the user's cache folder.
        temperature: Sent with each call; None leaves it to the server.
        timeout: Seconds for one try of a call, once it is sent; waiting for its turn does not count.
        rates: Dollars per prompt token and per completion token, where `genai-prices` does not know the model.
        wrap: Put around the transport that asks the server, below recorded calls; for experiments.
        concurrency: Calls in flight at once; None for as many as are asked (sub-agents have a limit of their own in
            `MemoryRLM`) and as the server takes.
        requests_per_minute, tokens_per_minute: The server's limits, where they are known: `pacing` keeps them, and
            finds out the others.

    Raises:
        ValueError: A mode that is none of the four, an empty model name, an address that is none, or a limit below 1.

    >>> connect("offline").label
    'offline reader (no LLM)'
    """
    if not model:
        raise ValueError("model must not be empty; the reader without an LLM is called 'offline'")
    try:
        urlsplit(base_url or "")
    except ValueError as error:
        raise ValueError(f"base_url {base_url!r} is no address ({error})") from error
    if recorded not in MODES:
        raise ValueError(f"recorded must be one of {', '.join(MODES)}, not {recorded!r}")
    if model != OFFLINE:
        base_url = base_url or os.environ.get("OPENAI_BASE_URL")
    if rates is None:
        rates = (0.0, 0.0) if model == OFFLINE else price(model, base_url)
    return LLM(
        model,
        base_url,
        api_key,
        recorded,
        calls_path=calls_path,
        temperature=temperature,
        timeout=timeout,
        rates=rates,
        wrap=wrap,
        pace=Pace(concurrency, requests_per_minute, tokens_per_minute),
    )


def cache_path() -> Path:
    """The folder for recorded calls and downloads: $RLM_MEMORY_CACHE, or the user's cache folder."""
    named = os.environ.get("RLM_MEMORY_CACHE")
    return Path(named) if named else user_cache_path("rlm-memory")


def _with_further(usage: Usage, response: httpx2.Response, claim: Claim) -> Usage:
    """What an answer took, with the further requests that were sent for it: each is paid for as the answer is.

    Those of earlier tries, which came to nothing, are counted without tokens.
    """
    paid = int(response.headers.get(REQUESTS_HEADER, 1))
    failed = 0 if RECORDED_HEADER in response.headers else max(claim.further - (paid - 1), 0)
    return sum([usage] * paid, Usage(calls=failed))
