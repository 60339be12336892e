"""The settings that all notebooks share: model, server, limits, judge, data.

A notebook's `options` and the command line override the defaults here, the only place that lists them.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from rlm_memory_core.models.budget import Budget
from rlm_memory_core.models.hedging import HEDGE
from rlm_memory_core.models.llm import LLM, OFFLINE, connect

from ..score.judge import connect_judge
from .dask_cluster import DaskExecutor
from .remembered import Remembered


@dataclass(frozen=True)
class Options:
    """The shared settings of a run.

    Args:
        model: A model's name, or "offline".
        base_url: An OpenAI-compatible server; "" for OpenAI's.
        rates: Dollars per prompt and per completion token, for a model without a known price.
        requests_per_minute, tokens_per_minute: The server's limits; 0 for none.
        hedge: The share of sub-agent calls that may be sent again when they are late.
        budget_usd: Stop before more dollars are spent, judge included; negative for no limit.
        concurrency: Questions of notebook 03 in flight at once.
        dask: A Dask scheduler whose workers answer, such as "tcp://127.0.0.1:8786"; "" for this machine.
        embedding_model: A model of the server that embeds turns or sessions; "" ranks by words.
        local_embedder: A `sentence-transformers` model or its folder, for notebook 07.
        judge_model, judge_base_url, judge_rates: The model that judges answers; "" for none.
        data_dir, logs_dir: Folders of the benchmarks and of the authors' logs; "" searches for them.
        locomo_conversations: Conversations of LoCoMo in notebook 07, from the first.
        m_sessions: Sessions of its generated history where LongMemEval-M is missing.
        scan_up_to: Sessions of the longest history that its full scan reads.
    """

    model: str = OFFLINE
    base_url: str = ""
    rates: Sequence[float] = ()
    requests_per_minute: float = 0.0
    tokens_per_minute: float = 0.0
    hedge: float = HEDGE
    budget_usd: float = -1.0
    concurrency: int = 1
    dask: str = ""
    embedding_model: str = ""
    local_embedder: str = ""
    judge_model: str = ""
    judge_base_url: str = ""
    judge_rates: Sequence[float] = ()
    data_dir: str = ""
    logs_dir: str = ""
    locomo_conversations: int = 1
    m_sessions: int = 500
    scan_up_to: int = 500

    @cached_property
    def llm(self) -> LLM:
        """The model that answers, connected. The offline reader answers the same request once."""
        free = self.model == OFFLINE
        return connect(
            self.model,
            self.base_url or None,
            recorded="off" if free else "auto",
            rates=(self.rates[0], self.rates[1]) if self.rates else None,
            requests_per_minute=self.requests_per_minute or None,
            tokens_per_minute=self.tokens_per_minute or None,
            wrap=Remembered if free else None,
        )

    @cached_property
    def budget(self) -> Budget:
        """The limit that all methods and the judge share."""
        return Budget(usd=None if self.budget_usd < 0 else self.budget_usd)

    @cached_property
    def judge(self) -> LLM | None:
        """The model that judges answers, or None."""
        return connect_judge(self.judge_model, self.llm, self.judge_base_url, self.judge_rates)

    @cached_property
    def executor(self) -> DaskExecutor | None:
        """The cluster that answers, connected until the kernel ends; None for this machine."""
        return DaskExecutor(self.dask) if self.dask else None

    def changed(self) -> dict[str, Any]:
        """Returns the settings that differ from the defaults, without the model."""
        default = Options(self.model)
        differ = {name: value for name, value in asdict(self).items() if value != getattr(default, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in differ.items()}


def settings(parameters: dict[str, Any]) -> Options:
    """Returns a notebook's settings, from its `model` and `options`.

    Lists and options that are given as text, as by `papermill -p turns "[20, 50]"`, become what they say, in place.

    Args:
        parameters: The notebook's `globals()`.

    Raises:
        ValueError: There is no such option.

    >>> given = {"model": "offline", "options": {"hedge": 0.1}, "turns": "[20, 50]"}
    >>> settings(given).hedge, given["turns"]
    (0.1, [20, 50])
    """
    written = {name: value for name, value in parameters.items() if isinstance(value, str) and value[:1] in ("[", "{")}
    parameters.update({name: literal(value) for name, value in written.items() if not name.startswith("_")})
    options = parameters.get("options") or {}
    if not isinstance(options, Mapping):
        raise ValueError(f"options are names with values, such as {{'hedge': 0.1}}, not {options!r}")
    known = Options.__dataclass_fields__.keys() - {"model"}
    if unknown := sorted(options.keys() - known):
        raise ValueError(f"no option is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return Options(parameters.get("model", OFFLINE), **options)


def literal(value: Any) -> Any:
    """Returns the Python value that a text writes, or the text itself; other values as they are.

    >>> literal("[20, 50]"), literal("paper"), literal(3)
    ([20, 50], 'paper', 3)
    """
    if not isinstance(value, str):
        return value
    try:
        read = ast.literal_eval(value.strip())
        return list(read) if isinstance(read, tuple) else read  # as in -p turns 20,50
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value
