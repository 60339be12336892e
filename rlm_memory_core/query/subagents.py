"""Sub-agents: each reads one piece of the history in a fresh context (paper Section 3.1).

`SubAgents` makes the calls, all at once up to a limit, and records each as a `Call`. A late call may be sent a second
time (`models.hedging`). A failed call is recorded with its reason; its error text never becomes a finding.

Only the server knows how many tokens a text has: 37,800 Chinese characters may be 37,800 tokens. So if the server
rejects a piece as too long, it is read in halves, and these are halved again if necessary.
"""

import asyncio
import re
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..models import background
from ..models.budget import Budget, BudgetExceeded
from ..models.hedging import Siblings
from ..models.llm import LLM, ModelError
from ..models.pricing import Usage
from ..models.types import ContextExceeded, Reply, paid_before
from ..search.word_index import Piece, place_to_cut
from ..store.escaping import escape_tags
from .answer import total_cost
from .evidence import Call, check_reply, is_not_found
from .prompts import CUT_OFF, NOT_FOUND, NOT_READ, SUBAGENT_SYSTEM, conversation

_SHORTEST = 500  # characters; a shorter text is not halved
# The heading of a turn. `store.escaping` puts a backslash before a heading within content.
_HEADING = re.compile(r"^\[Turn \d+\]\[[^]\n]*\]: ", re.M)

Paid = list[tuple[Usage, float | None]]
"""The tokens and dollars of each request."""

NO_PIECE = Piece(0, None, "")
"""The piece of a sub-agent whose prompt the model wrote itself."""

STOPPED = "stopped before it answered"
"""The error of a call that was cancelled."""


@dataclass(eq=False, repr=False)
class SubAgents:
    """The sub-agents of one query.

    Args:
        llm: The model of the sub-agents.
        slots: Limits the calls in flight. All queries of an engine share it.
        budget: Checked before each call. Its seconds also limit how long calls wait for a slot.
        hedge: The share of calls in a fan-out that may be sent a second time if they are late; see `hedging.Siblings`.
        system: The system prompt, which says in what form sub-agents reply.

    `calls` contains all calls so far, in the order in which they ended. `began` is the `time.perf_counter()` at which
    the query began. `losses` counts how often the code has lost its variables.
    """

    llm: LLM
    slots: asyncio.Semaphore
    budget: Budget = field(default_factory=Budget)
    hedge: float = 0.0
    system: str = SUBAGENT_SYSTEM
    calls: list[Call] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.began = time.perf_counter()
        self._batch, self._replied, self.losses = 0, True, 0
        self._answered: dict[int, Call] = {}  # by the hash of a prompt and its session
        self._paid: dict[int, Call] = {}  # those whose replies the code has lost

    def replied(self) -> None:
        """Note that the code has seen a reply. Its next calls may depend on it, so they begin a new batch."""
        self._replied = True

    def next_batch(self) -> None:
        """Begin a new batch if the code has seen a reply to the last one. Call this as soon as the code asks."""
        self._batch, self._replied = self._batch + self._replied, False

    def lost(self) -> bool:
        """Note that the code has lost all replies: the same prompts get them again. Return whether there are any."""
        self.losses += 1
        self._paid = self._answered.copy()
        return bool(self._paid)

    def ask_all(self, assignments: Sequence[tuple[str, Piece]]) -> Coroutine[Any, Any, list[Call]]:
        """Send one sub-agent for each (prompt, piece), all at once. Return their calls in the same order."""
        siblings = Siblings(self.hedge, self.slots) if self.hedge and len(assignments) > 1 else None
        return background.gather(self.ask(prompt, piece, siblings) for prompt, piece in assignments)

    async def ask(self, prompt: str, piece: Piece = NO_PIECE, siblings: Siblings | None = None) -> Call:
        """Send one sub-agent.

        Args:
            prompt: The message to the sub-agent.
            piece: What the prompt asks it to read. If the piece has turns, the reply's quotes are looked up in them.
            siblings: The fan-out that the call belongs to, or None.

        Returns:
            The call; its `error` says why there is no reply. Only cancellation raises.
        """
        key = hash((prompt, piece.session))
        if key in self._paid:
            return self._paid[key]
        paid: Paid = []
        batch, started, reply, error = self._batch, time.perf_counter(), None, STOPPED
        try:
            async with self.budget.slot(self.slots):
                started = time.perf_counter()
                reply, error = await self._read(prompt, piece.text, siblings, paid), ""
        except (BudgetExceeded, ModelError) as failed:
            error = str(failed)
        finally:  # a cancelled call counts too, and costs something if it was sent
            reply = reply or Reply("", Usage(), 0.0, time.perf_counter() - started)
            text = _text(reply)
            usage, cost_usd = sum((usage for usage, _ in paid), Usage()), total_cost(cost for _, cost in paid)
            told, found, false = check_reply(text, piece.turns, piece.date) if piece.turns else (text, (), 0)
            call = Call(
                session=piece.text, number=piece.session or None, date=piece.date,
                reply=text, text=NOT_READ if error else told, findings=found, false_quotes=false,
                usage=usage, cost_usd=cost_usd, recorded=reply.recorded, cut=reply.cut, error=error,
                batch=batch, started=started - self.began, seconds=reply.seconds, thoughts=reply.thoughts,
            )  # fmt: skip
            self.calls.append(call)
        if not error:
            self._answered[key] = call
        return call

    async def _read(self, prompt: str, text: str, siblings: Siblings | None, paid: Paid) -> Reply:
        """Return the reply on a text, read whole or in halves. `paid` gets the tokens and dollars of each request."""
        messages = conversation(self.system, prompt)
        try:
            reply = await self.llm.complete(messages, self.budget, None, siblings)
        except (ModelError, BudgetExceeded, asyncio.CancelledError) as error:
            paid.append(paid_before(error))
            parts = halves(prompt, text) if isinstance(error, ContextExceeded) else []
            if not parts:
                raise
            return _joined([await self._read(*part, None, paid) for part in parts])
        paid.append((reply.usage, reply.cost_usd))
        return reply


def halves(prompt: str, text: str) -> list[tuple[str, str]]:
    """Halve a text between two turns, or within its first turn, whose heading both halves then have.

    Args:
        prompt: A prompt that contains the text.
        text: What the prompt asks to read: turns, or any other text.

    Returns:
        Two pairs of a prompt and a half. No pairs if the text is short or is not in the prompt.
    """
    in_prompt = escape_tags(text)
    if len(text) < _SHORTEST or in_prompt not in prompt:
        return []
    middle = len(text) // 2
    headings = list(_HEADING.finditer(text, 0, middle))
    between = [heading.start() for heading in headings if heading.start()]
    cut = between[-1] if between else place_to_cut(text, 0, middle)
    repeated = headings[0][0] if headings and not between else ""
    return [(prompt.replace(in_prompt, escape_tags(half), 1), half) for half in (text[:cut], repeated + text[cut:])]


def _joined(replies: Sequence[Reply]) -> Reply:
    """Join the replies on the parts of a text. The usage is zero, because it is already counted for the parts."""
    found = [reply.text for reply in replies if not is_not_found(reply.text)]
    seconds, recorded = sum(reply.seconds for reply in replies), all(reply.recorded for reply in replies)
    return Reply("\n".join(found) or NOT_FOUND, Usage(), 0.0, seconds, recorded, any(reply.cut for reply in replies))


def _text(reply: Reply) -> str:
    if is_not_found(reply.text):
        return NOT_FOUND
    said = reply.text.strip()
    return f"{said} {CUT_OFF}" if reply.cut else said  # an incomplete extract may still contain the answer
