"""Limits on the code of one query: time, memory, output, sub-agents, and data passed to the host.

`Limits` defines them. `Meter` counts what one query uses and refuses anything over a limit. The sandbox itself
enforces time, memory and recursion.
"""

from dataclasses import dataclass, fields

from .values import MAX_CHARACTERS, Measured, shorten

_OTHERS = 1_000_000  # the same for functions that ask no sub-agent, because an error may quote the arguments
_MOST_REFUSALS = 100  # a run that continues after this many is ended


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on model-written code. A run is one piece of code. Waiting for sub-agents does not count as time.

    Args:
        run_seconds: Execution time of one run.
        query_seconds: Execution time of all runs of a query. The run that exceeds it still finishes.
        memory_mb: Memory of the sandbox, in MiB.
        recursion: Depth of nested function calls.
        output_characters: How much of one run's output the model sees; the beginning and end if there is more.
        query_output_characters: How much output the model sees from all runs of a query.
        query_subcalls: Sub-agents that the code of one query may ask. `Reading("paper")` refuses a history that has
            more sessions and parts of long sessions than that.
        prompt_characters: Length of one prompt, or of one session's text, that the code sends to a sub-agent.
        query_prompt_characters: Length of all texts that the code of one query sends to sub-agents.
        host_calls: Calls of host functions of any kind in one query.

    Raises:
        ValueError: A limit is not above zero.

    >>> Limits(query_subcalls=50).query_subcalls
    50
    """

    run_seconds: float = 30.0
    query_seconds: float = 120.0
    memory_mb: int = 256
    recursion: int = 1000
    output_characters: int = 20_000
    query_output_characters: int = 200_000
    query_subcalls: int = 10_000
    prompt_characters: int = 1_000_000
    query_prompt_characters: int = 50_000_000
    host_calls: int = 100_000

    def __post_init__(self) -> None:
        for bound in fields(self):
            if not getattr(self, bound.name) > 0:
                raise ValueError(f"Limits: {bound.name} must be above 0, not {getattr(self, bound.name)!r}")


class LimitReached(RuntimeError):
    """The code exceeded a limit of the run or the query. The message tells the model what to do instead."""


class Meter:
    """Counts what the code of one query has used. `calls` is the number of host function calls."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._run_seconds = self._query_seconds = 0.0
        self._subcalls = self._sent = self._shown = self.calls = 0
        self._refusals: list[str] = []  # in this run

    def start_run(self) -> None:
        """Start counting for a new run.

        Raises:
            LimitReached: The query has no time left.
        """
        self._run_seconds, self._refusals = 0.0, []
        if self._query_seconds > self._limits.query_seconds:
            raise LimitReached(
                f"LimitReached: the code of this query has run for {self._query_seconds:.0f} s, and "
                f"{self._limits.query_seconds:g} s is its limit. No further code is run: answer with "
                "FINAL(your answer), outside a code block, from what you have seen."
            )

    def executed(self, seconds: float) -> None:
        """Count seconds in which the code ran, or a host function other than a sub-agent."""
        self._run_seconds += seconds
        self._query_seconds += seconds

    def check(self) -> None:
        """Check whether to end the run: it continues after many refusals, or has taken twice its time.

        The second happens when code looks up names in a loop.

        Raises:
            LimitReached: The run must end.
        """
        if len(self._refusals) > _MOST_REFUSALS:
            told = f"the run was ended, for it went on after {_MOST_REFUSALS} refusals: {self._refusals[-1]}"
            raise LimitReached(f"RuntimeError: {told}")
        if self._run_seconds > 2 * self._limits.run_seconds:
            raise LimitReached(
                f"RuntimeError: limit reached: the run was ended after {self._run_seconds:.0f} s; "
                f"{self._limits.run_seconds:g} s is its limit. Do less in one block"
            )

    def call(self, given: Measured, asks: bool) -> None:
        """Count a call of a host function with these arguments. `asks` tells whether it asks sub-agents.

        Raises:
            LimitReached: There were too many calls, the run has no time left, or the arguments are too large.
        """
        self.calls += 1
        characters = MAX_CHARACTERS if asks else _OTHERS
        for used, most, rule in (
            (self.calls, self._limits.host_calls, "one query may call functions outside the sandbox {1:,} times"),
            (self._run_seconds, self._limits.run_seconds, "this run has taken {0:.0f} s, and {1:g} s is its limit"),
            (given.characters, characters, "one call takes at most {1:,} characters, and this one has {0:,}"),
        ):
            if used > most:
                raise self._refused(f"{rule.format(used, most)}; do less at once, and keep replies in variables")

    def ask(self, count: int, given: Measured) -> None:
        """Count sub-agents before the code asks them with these arguments.

        Raises:
            LimitReached: The query may not ask this many or send this much. None are counted, and none may be asked.
        """
        bounds, sent = self._limits, given.characters
        for used, wanted, most, rule in (
            (self._subcalls, count, bounds.query_subcalls, "the code of one query may ask {:,} sub-agents"),
            (0, given.longest, bounds.prompt_characters, "one text for a sub-agent may have {:,} characters"),
            (self._sent, sent, bounds.query_prompt_characters, "the code of one query may send {:,} characters"),
        ):
            if used + wanted > most:
                raise self._refused(
                    f"{rule.format(most)}; it has used {used:,} and now wants {wanted:,} more. Ask about fewer "
                    "sessions, or answer from what was found"
                )
        self._subcalls += count
        self._sent += sent

    def ask_again(self) -> None:
        """Do not count the sub-agents so far, because the code has lost their replies and gets them again for free."""
        self._subcalls = self._sent = 0

    def cut(self, output: str) -> str:
        """Shorten the output of a run to what the model may still see, and count it."""
        most = self._limits.output_characters
        left = self._limits.query_output_characters - self._shown
        text = shorten(output, max(min(most, left), min(most, 1000)))
        self._shown += len(text)
        return text

    def _refused(self, text: str) -> LimitReached:
        self._refusals.append(f"limit reached: {text}")
        return LimitReached(self._refusals[-1])
