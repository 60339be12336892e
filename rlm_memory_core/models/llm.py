"""The one seam to models: `connect()` gives a thin `LLM` over one shared openai client (`client`).

Whoever answers, the code above the client is the same, also for `model="offline"`. The
client itself tries again what may help (broken connections, timeouts, 408, 409 and 5xx);
pacing waits where the server is busy. What a call took is charged in `model_call`. No
prompt is worded here.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import openai
from platformdirs import user_cache_path

from ..store.escaping import well_formed
from . import background
from .budget import Budget
from .client import Wrap, explain, make_client
from .embeddings import Embeddings, batches, read_embeddings
from .endpoint import check_address, find_key, is_loopback
from .headers import NOT_RECORDED
from .model_call import ModelError as ModelError
from .model_call import Reply, Stopped, call_model
from .pacing import Pace
from .pricing import Usage, cost, price
from .recording import MODES, Mode, saved_seconds
from .responses import read_completion
from .streaming import Listener, heard_by
from .types import ChatMessage

OFFLINE = "offline"
OFFLINE_LABEL = "offline reader (no LLM)"
_T = TypeVar("_T")


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
        return self.model == OFFLINE or is_loopback(self.base_url)

    @property
    def _needs_key(self) -> bool:
        """Local servers and replays want no key."""
        return not (self.model == OFFLINE or self.base_url or self.recorded == "replay")

    def open(self) -> None:
        """Make the client now rather than at the first call, so that a missing key or a broken cache shows at once.

        Raises:
            ModelError: There is no API key, or one that cannot be sent.
            RecordingError: The recorded calls cannot be opened.
        """
        background.run(self._opened())

    async def _opened(self) -> None:
        _ = self._client

    async def complete(
        self,
        messages: Sequence[ChatMessage],
        budget: Budget | None = None,
        listener: Listener | None = None,
        stopped: Stopped | None = None,
    ) -> Reply:
        """Ask for one answer.

        Args:
            messages: The conversation, in the chat-completions form.
            budget: Checked before the call and charged after it. A reply that breaks off, comes too late, or is waited
                for no longer, is charged by an estimate, as the server bills it.
            listener: Hears the answer as it comes, and a recorded one in one piece; None to wait for the whole.
            stopped: Is told what the call has taken where it is cancelled; None for nobody.

        Raises:
            ModelError: No answer, after retries where a retry can help; none helps once a piece was heard.
            BudgetExceeded: The budget is spent.
        """
        return await background.arun(self._complete(messages, budget, listener, stopped))

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
        self,
        messages: Sequence[ChatMessage],
        budget: Budget | None,
        listener: Listener | None = None,
        stopped: Stopped | None = None,
    ) -> Reply:
        send = partial(self._post, messages)
        try:
            with heard_by(listener):
                said, usage, dollars, seconds, recorded = await self._call(send, read_completion, budget, stopped)
        except ModelError as error:
            error.said = listener.text if listener else ""
            raise
        if listener is not None:
            listener.end(said.text)
        return Reply(said.text, usage, dollars, seconds, recorded, said.cut)

    async def _embed(self, texts: Sequence[str], budget: Budget | None) -> Embeddings:
        done: list[Usage] = []

        async def embed(batch: Sequence[str]) -> tuple[list[list[float]], Usage, float | None, float, bool]:
            embedded = await self._embed_batch(batch, budget, lambda usage, _: done.append(usage))
            done.append(embedded[1])
            return embedded

        try:
            asked = await background.gather(map(embed, batches(texts)))
        except ModelError as error:  # the batches that were answered, or stopped, are paid for
            usage = sum(done, error.usage)
            raise ModelError(str(error), usage, None if error.cost_usd is None else cost(usage, self.rates)) from error
        usage = sum((usage for _, usage, *_ in asked), Usage())
        vectors = [vector for found, *_ in asked for vector in found]
        replayed = saved_seconds((seconds, recorded) for *_, seconds, recorded in asked)
        return Embeddings(vectors, usage, cost(usage, self.rates), replayed)

    async def _embed_batch(
        self, batch: Sequence[str], budget: Budget | None, stopped: Stopped
    ) -> tuple[list[list[float]], Usage, float | None, float, bool]:
        body = {"model": self.model, "input": batch, "encoding_format": "base64"}  # as the openai client asks too
        send = partial(self._send, "/embeddings", body)
        return await self._call(send, partial(read_embeddings, expected=len(batch)), budget, stopped)

    async def _call(
        self,
        send: Callable[[], Awaitable[httpx2.Response]],
        read: Callable[[httpx2.Response], tuple[_T, Usage]],
        budget: Budget | None,
        stopped: Stopped | None = None,
    ) -> tuple[_T, Usage, float | None, float, bool]:
        """One call: what was read, and the rest of a `Reply`."""
        if budget is not None and budget.usd is not None and self.rates is None:
            raise ModelError(
                f"the price of {self.model} is not known, so that a budget in dollars cannot be held: "
                "give connect() its rates, or limit tokens"
            )
        return await call_model(send, read, budget, self.rates, self._explain, stopped)

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
        url = str(self._client.base_url).rstrip("/") + path  # whole: the SDK takes its time to join the two
        return await self._client.post(url, body=body, cast_to=httpx2.Response)

    @cached_property
    def _client(self) -> openai.AsyncOpenAI:
        """Made at the first call: the client costs 22 ms, and one without a key raises when made."""
        return make_client(
            self.base_url,
            find_key(self._api_key, self.model, is_needed=self._needs_key),
            self.recorded,
            self._calls_path or cache_path() / "calls.sqlite",
            offline=self.model == OFFLINE and self.base_url is None,
            timeout=self._timeout,
            wrap=self._wrap,
            pace=self.pace,
        )

    def _explain(self, error: Exception) -> str:
        key = self._api_key or os.environ.get("OPENAI_API_KEY")
        return explain(error, model=self.model, base_url=self.base_url, api_key=key, timeout=self._timeout)


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
    if base_url:
        check_address(base_url)
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
