"""What the code of one query may take: time, memory, output, sub-agents.

`Limits` states the bounds; `Meter` counts one query against them and words the refusals. Neither
stops anything by itself: the sandbox does (time, memory, recursion) or `rlm_memory_core.repl.repl` does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on model-written code. A run is one piece of code; waiting for sub-agents does not count as time.

    Args:
        run_seconds: Executing time of one run.
        query_seconds: Executing time of all runs of a query; the run that passes it still ends.
        memory_mb: Memory of the sandbox, in 2**20 bytes.
        recursion: Function calls within one another.
        output_characters: What of a run's output the model is shown: head and tail.
        query_output_characters: The same for all runs of a query.
        run_subcalls: Sub-agents that one run may ask.
        query_subcalls: Sub-agents that the code of one query may ask.
        host_calls: Calls of functions outside the sandbox, of any kind, in one query.

    Raises:
        ValueError: A bound that is not above zero.

    >>> Limits(query_subcalls=50).query_subcalls
    50
    """

    run_seconds: float = 30.0
    query_seconds: float = 120.0
    memory_mb: int = 256
    recursion: int = 1000
    output_characters: int = 20_000
    query_output_characters: int = 200_000
    run_subcalls: int = 10_000
    query_subcalls: int = 10_000
    host_calls: int = 100_000

    def __post_init__(self) -> None:
        for bound in fields(self):
            if not getattr(self, bound.name) > 0:
                raise ValueError(f"Limits: {bound.name} must be above 0, not {getattr(self, bound.name)!r}")


class LimitReached(Exception):
    """A bound of the query or of the run; its text tells the model what to write instead."""


class Meter:
    """What the code of one query has taken so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._run_seconds = self._query_seconds = 0.0
        self._run_subcalls = self._query_subcalls = 0
        self._shown = self._calls = 0
        self.refusals = 0
        self.last_refusal = ""

    def start_run(self) -> None:
        """A new run begins.

        Raises:
            LimitReached: The query's time is up.
        """
        self._run_seconds, self._run_subcalls, self.refusals = 0.0, 0, 0
        if self._query_seconds > self._limits.query_seconds:
            raise LimitReached(
                f"LimitReached: the code of this query has run for {self._query_seconds:.0f} s, and "
                f"{self._limits.query_seconds:g} s is its limit. No further code is run: answer with "
                "FINAL(your answer), outside a code block, from what you have seen."
            )

    def executed(self, seconds: float) -> None:
        """Code of the run, or a host function other than a sub-agent, has run for so long."""
        self._run_seconds += seconds
        self._query_seconds += seconds

    def call(self) -> None:
        """The code calls a host function.

        Raises:
            LimitReached: Too many calls, or too much time in them.
        """
        self._calls += 1
        if self._calls > self._limits.host_calls:
            raise self._refused(
                f"the code of one query may call functions outside the sandbox {self._limits.host_calls:,} times; "
                "call them once and keep what they return in a variable"
            )
        if self._run_seconds > self._limits.run_seconds:
            raise self._refused(
                f"this run has taken {self._run_seconds:.0f} s, and {self._limits.run_seconds:g} s is its limit; "
                "do less in one block"
            )

    def ask(self, count: int) -> None:
        """The code asks so many sub-agents.

        Raises:
            LimitReached: More than the run, or the query, may ask. None of them is asked then.
        """
        for done, most, what in (
            (self._run_subcalls, self._limits.run_subcalls, "run"),
            (self._query_subcalls, self._limits.query_subcalls, "query"),
        ):
            if done + count > most:
                raise self._refused(
                    f"the code of one {what} may ask {most:,} sub-agents; it has asked {done:,} and now wants "
                    f"{count:,} more. Ask fewer: the first of rank_sessions(question), or answer from what was found"
                )
        self._run_subcalls += count
        self._query_subcalls += count

    def room(self) -> int:
        """Characters of output that the next run may show."""
        left = self._limits.query_output_characters - self._shown
        return max(min(self._limits.output_characters, left), min(self._limits.output_characters, 1000))

    def shown(self, characters: int) -> None:
        """A run has shown so many characters."""
        self._shown += characters

    def _refused(self, text: str) -> LimitReached:
        self.refusals += 1
        self.last_refusal = f"limit reached: {text}"
        return LimitReached(self.last_refusal)
