"""`connect()` returns an `LLM`, which sends each call to a model through one `pipeline`.

Callers need not know whether a server or the offline reader answers. The prompts are in `query.prompts`.
"""

import os
import re
from asyncio import CancelledError
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import KW_ONLY, dataclass, fields, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from . import background, pipeline, plugins
from .budget import Budget, BudgetExceeded, ModelCall
from .hedging import Siblings
from .normalise import Embeddings, batches, read_completion, read_embeddings
from .pacing import Pacing
from .pricing import OPENAI_URL, Rates, Usage, cost, price
from .recorded_calls import MODES, Mode, open_calls, saved_seconds
from .streaming import Listener
from .types import CHAT_PATH, EMBEDDINGS_PATH, Backend, ChatMessage, Reply, Request, check_number
from .types import ModelError as ModelError
from .wording import explain, without_key

OFFLINE = "offline"
PACE = ("concurrency", "requests_per_minute", "tokens_per_minute")
OFFLINE_LABEL = "offline reader (no LLM)"
_REPLY, _LONG_REPLY = 8_192, 32_768  # maximum tokens of a reply; the second is for models that think
_THINKS = re.compile(r"\bo\d|gpt-[5-9]|gpt-oss|\br1\b|qwq|qwen3|magistral|think|reason")

NAMED: dict[str, Callable[[], Backend]] = {}
"""Creates the backend that `connect(name)` uses instead of a server, such as the offline reader."""


@dataclass(eq=False, repr=False)
class LLM(AbstractContextManager["LLM"]):
    """A model on a server, or the offline reader. It sends nothing until you ask it. `connect` is an alias.

    Args:
        model: The server's name for the model, or "offline" for the reader that needs no model.
        base_url: An OpenAI-compatible server, such as "http://localhost:11434/v1"; None for OPENAI_BASE_URL, or else
            OpenAI's own.
        api_key: The server's key; None for OPENAI_API_KEY. A server at `base_url` may not need one.
        recorded: What to do with recorded answers: "auto" uses them and records new ones, "replay" only uses them,
            "refresh" replaces them, "off" does neither.
        calls_path: The file of recorded calls; None for one in the user's cache folder.
        temperature: Sent with each call; None leaves it to the server.
        timeout: Seconds that one attempt may take after it is sent; waiting to send it does not count.
        rates: Dollars per prompt token and per completion token; None to look them up in `genai-prices`.
        max_tokens: The longest reply, sent with each call and reserved in budgets. None for 8,192, or 32,768 for a
            model that thinks before it answers; 0 leaves it to the server.
        wrap: Takes the `Backend` that asks the server and returns another, for a model without a server or for
            experiments. Answers are recorded outside it.
        concurrency: The maximum number of calls in flight; None for as many as the server accepts. `MemoryRLM` limits
            its own sub-agents.
        requests_per_minute: The server's limit, if you know it; calls then stay within it. None to find it out.
        tokens_per_minute: Likewise.

    Raises:
        ValueError: The model name is empty, the address is invalid, `recorded` is not one of the four, a number is
            negative or not a number, or a limit is below 1.

    >>> connect("offline").label
    'offline reader (no LLM)'
    """

    model: str = OFFLINE
    base_url: str | None = None
    api_key: str | None = None
    recorded: Mode = "auto"
    _: KW_ONLY
    calls_path: Path | None = None
    temperature: float | None = 0.0
    timeout: float = 120.0
    rates: Rates = None
    max_tokens: int | None = None
    wrap: Callable[[Backend], Backend] | None = None
    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("model must not be empty; the reader without an LLM is called 'offline'")
        if self.base_url:
            check_address(self.base_url)
        if self.recorded not in MODES:
            raise ValueError(f"recorded must be one of {', '.join(MODES)}, not {self.recorded!r}")
        for name in ("temperature", "timeout", "max_tokens", *PACE):
            check_number(name, getattr(self, name), least=1 if name in PACE else 0)
        for rate in self.rates or ():
            check_number("each of the rates, in dollars per token,", rate)
        if self.max_tokens is None and self.model != OFFLINE:
            self.max_tokens = _LONG_REPLY if _THINKS.search(self.model.lower()) else _REPLY
        if self.model != OFFLINE:
            self.base_url = self.base_url or os.environ.get("OPENAI_BASE_URL")
        if self.rates is None:
            self.rates = (0.0, 0.0) if self.model == OFFLINE else price(self.model, self.base_url)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the settings without connections or the key; another process reads the key from its environment."""
        sent = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "api_key"}
        return _received, (tuple(sent.items()),)

    @property
    def label(self) -> str:
        """The model's name in tables and figures. The offline reader is never shown as an LLM."""
        return OFFLINE_LABEL if self.model == OFFLINE else self.model

    @property
    def is_local(self) -> bool:
        """Whether calls are free: the offline reader, or a model without a price on this machine."""
        return self.rates == (0.0, 0.0)

    def open(self) -> None:
        """Prepare for calls now rather than at the first one, so that a missing key or a broken cache shows at once.

        Raises:
            ModelError: The API key is missing, or cannot be sent.
            RecordingError: The recorded calls cannot be opened.
        """
        _ = self._pipeline

    async def complete(
        self, messages: Sequence[ChatMessage], budget: Budget | None = None, listener: Listener | None = None,
        siblings: Siblings | None = None,
    ) -> Reply:  # fmt: skip
        """Ask for one answer.

        If the call ends early, the error has attributes that tell what was paid for: `usage` and `cost_usd`. A
        ModelError and a BudgetExceeded have them, and so has an `asyncio.CancelledError`, whose type does not name
        them. A time limit such as `asyncio.wait_for` raises a TimeoutError instead: look at its `__cause__`.

        Args:
            messages: The conversation, as chat-completions messages.
            budget: Checked before the call and charged after it. A reply that breaks off, times out or is cancelled is
                charged at an estimate, because the server bills it.
            listener: Receives the answer in pieces, or a recorded one in one piece; None to wait for the whole answer.
            siblings: The fan-out that the call belongs to; see `hedging`.

        Raises:
            ModelError: There is no usable answer, even after retries. A call is not retried once a piece has arrived.
            BudgetExceeded: The budget is spent.
        """
        sent = {"messages": list(messages), "max_tokens": self.max_tokens or None, "temperature": self.temperature}
        body = {"model": self.model} | {name: value for name, value in sent.items() if value is not None}
        call = ModelCall(Request(CHAT_PATH, body), budget, self.rates, listener)
        return await background.arun(self._pipeline.ask(call, read_completion, siblings))

    async def embed(self, texts: Sequence[str], budget: Budget | None = None) -> Embeddings:
        """Ask for the vectors of texts, in as many calls as needed.

        For each call, the budget and the errors are as for `complete`. If the calls end early, the error tells what all
        of them took.
        """
        bodies = ({"model": self.model, "input": batch, "encoding_format": "base64"} for batch in batches(texts))
        calls = [ModelCall(Request(EMBEDDINGS_PATH, body), budget, self.rates) for body in bodies]
        asking = background.gather(self._pipeline.ask(call, read_embeddings) for call in calls)
        try:
            answers = await background.arun(asking)
        except (ModelError, BudgetExceeded, CancelledError) as error:  # answered and stopped batches are paid for
            usage = sum((call.charged for call in calls), Usage())
            vars(error).update(usage=usage, cost_usd=cost(usage, self.rates))  # search.semantic.Metered reads them
            raise
        usage = sum((answer.usage for answer in answers), Usage())
        vectors = [vector for answer in answers for vector in answer.vectors]
        replayed = saved_seconds((answer.seconds, answer.recorded) for answer in answers)
        return Embeddings(vectors, usage, cost(usage, self.rates), replayed)

    def another(self, model: str) -> "LLM":
        """Return another model on the same server, with the same key, recorded calls and limits."""
        return replace(self, model=model, rates=None, temperature=0.0, max_tokens=None, wrap=None)

    def close(self) -> None:
        """Close the connections and the file of recorded calls. Leaving `with connect(...) as llm:` does the same.

        The next call opens them again. If you never call this, they are closed when Python exits.
        """
        if opened := vars(self).pop("_pipeline", None):
            background.CLOSERS.discard(opened.close)
            background.run(opened.close())

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pace(self) -> dict[str, Any]:
        """The server's known limits by name, as arguments for `connect` and `Pacing`."""
        return {name: getattr(self, name) for name in PACE}

    def _key(self) -> str:
        """Return the API key to send, or "none" if the server needs no key.

        Raises:
            ModelError: The key is missing, or cannot be sent.
        """
        key = self.api_key or os.environ.get("OPENAI_API_KEY", "")
        if not (key or self.model == OFFLINE or self.base_url or self.recorded == "replay"):
            raise ModelError(
                f"no API key for {self.model}: set OPENAI_API_KEY, or name a local server with base_url, "
                'or use model="offline"'
            )
        if strange := next((sign for sign in key if not (sign.isascii() and sign.isprintable())), ""):
            named = "the api_key" if self.api_key else "OPENAI_API_KEY"
            raise ModelError(f"{named} holds {strange!r}, which no key does: copy it once more from where it was made")
        return key or "none"  # the client needs a string

    @cached_property
    def _pipeline(self) -> pipeline.Pipeline:
        """The pipeline, created at the first call because the client takes 22 ms and needs a key."""
        key, place = self._key(), urlsplit(self.base_url or "")
        secret = unquote(place.password or place.username or "") or key  # a password is sent instead of a key
        plugins.load()  # the offline reader registers itself
        if self.model in NAMED and not self.base_url:
            backend, calls = NAMED[self.model](), None  # free, so nothing is recorded
        else:
            from .openai_backend import OpenAIBackend  # only here: the SDK takes half a second to import

            address = self.base_url or OPENAI_URL
            backend = OpenAIBackend(address, key, self.timeout, secret)
            calls = open_calls(self.calls_path, self.recorded, address.rstrip("/"), self.timeout)
        pacing = Pacing(self.wrap(backend) if self.wrap else backend, pipeline.MAX_RETRIES, **self.pace)
        told = partial(explain, model=self.model, base_url=self.base_url, api_key=secret, timeout=self.timeout)
        close = getattr(backend, "close", None)
        made = pipeline.Pipeline(pacing, calls, told, lambda text: without_key(text, secret), close)
        background.CLOSERS.add(made.close)
        return made


@cache
def _received(settings: tuple[tuple[str, Any], ...]) -> LLM:
    """Return the unpickled model: one for all questions that a process receives, so that they share connections."""
    return LLM(**dict(settings))


connect = LLM


def check_address(base_url: str) -> None:
    """Check a server's address.

    Raises:
        ValueError: It has no http(s) scheme or no host, or it has an invalid port, a query or a fragment.

    >>> check_address("http://localhost:11434/v1")
    """
    with suppress(ValueError):
        place = urlsplit(base_url)
        is_whole = place.scheme in ("http", "https") and place.hostname and place.port != 0
        if is_whole and not (place.query or place.fragment):  # each call appends its path
            return
    shown = re.split(r"[?#]", base_url.rpartition("@")[2])[0]  # leaves out a password, or a key in the query
    raise ValueError(f"base_url {shown!r} is no address such as http://localhost:11434/v1")
