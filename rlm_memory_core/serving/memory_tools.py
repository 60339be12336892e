"""The tools of the MCP server: search a history, cite it, and add to it.

Each public method of `MemoryTools` is a tool; its docstring and its `Field`s are what a model reads about it. Calls
are independent, because an agent may have forgotten what it saw: the same search shows the same turns again, and finds
turns that were added meanwhile.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from more_itertools import constrained_batches
from pydantic import BeforeValidator, Field

from ..query.engine import MemoryRLM
from ..query.search_tools import SearchTools
from ..store.escaping import label
from ..store.memory_store import MemoryStore
from ..store.time_limit import in_search_thread
from ..store.times import parse_time
from ..views.answer import answer_text
from ..views.store_summary import row, summarise

_PAGE = 6_000  # characters of a result
_SESSIONS = 30  # listed at once
_OF_REPLY, _WHOLE = 300, 10_000  # characters of a turn of the assistant, by `look` and in a resource
_HEADING = "-- session "  # begins the line above the turns of a session


def _as_list(given: Any) -> Any:
    return [given] if isinstance(given, (str, int)) else given


_Words = Annotated[list[str], BeforeValidator(_as_list)]
_Numbers = Annotated[list[int] | None, BeforeValidator(_as_list)]
_Role = Annotated[str | None, Field(description='Only turns of this role: "user" or "assistant".')]
_Page = Annotated[int, Field(ge=1, description="The part of a long result; its last line says whether there are more.")]
_After = Annotated[str | None, Field(description="Only from this day on, such as 2023-05-20.")]
_Before = Annotated[str | None, Field(description="Only up to this day, such as 2023-05-31.")]


class MemoryTools:
    """The tools of one store. Calls may run at the same time.

    Args:
        store: The history.
        engine: Answers questions for `ask`, or None.
    """

    def __init__(self, store: MemoryStore, engine: MemoryRLM | None = None) -> None:
        self.store, self.engine = store, engine
        self._writing = ("", "")  # client and conversation of the last turn

    async def find(
        self,
        probes: Annotated[_Words, Field(description='1 to 12 short probes of two or three words, or "exact words".')],
        role: _Role = None,
        after: _After = None,
        before: _Before = None,
        limit: Annotated[int, Field(ge=1, le=100, description="Turns at most.")] = 12,
        order: Literal["relevance", "date"] = "relevance",
        page: _Page = 1,
    ) -> str:
        """Search the memory for the single turns that fit a few short probes best.

        Start here. Words match in any form (move, moved), but not by meaning: give several probes at once, with the
        topic's words and the words that the person would have used ("my cat", "kitten", "vet"). Each result is one
        line, such as `12 user: what turn 12 says`, under a line with its session and date; " / " is a line's end.
        Then use `look` for what was said around a turn. A later statement may replace an earlier one.
        """
        tools = await in_search_thread(SearchTools)(self.store, "", None)
        found = await tools.find(*probes, role=role, after=after, before=before, limit=limit, order=order)
        return _page(found, page)

    async def look(
        self,
        sessions: Annotated[_Numbers, Field(description="Numbers of sessions, such as [3, 17].")] = None,
        around: Annotated[int | None, Field(description="A turn's number: it is shown whole, with others.")] = None,
        page: _Page = 1,
    ) -> str:
        """Read whole sessions, or the turns around one turn. Give either `sessions` or `around`."""
        if (sessions is None) == (around is None):
            raise ValueError("give either sessions, such as [3, 17], or around, a turn's number")
        return _page(await self._searched(lambda tools: tools.look(sessions, None, _OF_REPLY, around)), page)

    async def timeline(
        self,
        names: Annotated[_Words, Field(description='Words or names, such as ["Rachel", "my sister"].')],
        after: _After = None,
        before: _Before = None,
    ) -> str:
        """List all that the user said with a word or a name, by date: how something changed, or how often it came."""
        return await self._searched(lambda tools: tools.timeline(*names, after=after, before=before))

    async def cite(
        self,
        turn: Annotated[int, Field(description="The number of the turn, as `find` and `look` print it.")],
        quote: Annotated[str, Field(min_length=1, description="Words copied from that turn.")],
    ) -> str:
        """Check a quote before you rely on it: returns the words as stored, with session and date.

        Fails if the turn does not say so, and shows what it says.
        """
        return await self._searched(lambda tools: tools.cite(turn, quote) and tools.listing.quotes(tools.cited))

    def sessions(
        self,
        before: Annotated[int | None, Field(ge=2, description="Only sessions with a lower number than this.")] = None,
    ) -> str:
        """List the sessions (conversations) in the memory, the newest first, with dates and how each opens."""
        sql = "SELECT number, title FROM sessions WHERE number < ? ORDER BY number DESC LIMIT ?"
        listed = self.store.query(sql, (before or len(self.store.sessions) + 1, _SESSIONS))
        lines = [f"{row(self.store, number)}{title and f' | {label(title)}'}".strip() for number, title in listed]
        left = listed[-1][0] - 1 if listed else 0
        more = [f"({left} more: sessions(before={left + 1}))"] if left else []
        return "\n".join([*lines, *more]) or "there are no sessions"

    def remember(
        self,
        content: Annotated[str, Field(description="What was said or is to be kept, in full.")],
        context: Context[Any, Any],
        role: Annotated[str, Field(description='Who said it: "user" or "assistant".')] = "user",
        name: Annotated[str, Field(description="The speaker's name, if several people speak in this role.")] = "",
        conversation: Annotated[str, Field(description="The talk's title; another one begins a session.")] = "",
        said_at: Annotated[str | None, Field(description="When, such as 2023-05-20T14:30; leave out for now.")] = None,
    ) -> str:
        """Append one turn to the memory, for good: nothing in it is changed or deleted later.

        Store what the user tells about themselves, their plans, decisions and preferences, in their own words; and
        what you answered, if it may be asked for later. Do not store passwords or keys.
        """
        if not content.strip() or not role.strip():
            raise ValueError("content and role must not be empty")
        if said_at is not None and parse_time(said_at) is None:
            raise ValueError(f"said_at is a time such as 2023-05-20T14:30, not {said_at!r}")
        writing = (context.headers or {}).get("mcp-session-id", ""), conversation
        with self.store.transaction():
            if writing != self._writing:
                self.store.start_session(title=conversation)
            stored = self.store.add(role, content, said_at or datetime.now(UTC), name)
            self._writing = writing
        return f"stored as turn {stored.index} in session {stored.session}"

    async def ask(
        self,
        question: Annotated[str, Field(min_length=1, description="A whole question, in the user's words.")],
    ) -> str:
        """Have another model answer a question from the memory, with evidence. Slow, and it costs tokens.

        Use it for questions that `find`, `look` and `timeline` do not settle, such as counts over many sessions.
        """
        assert self.engine is not None, "the server offers `ask` only with an engine"
        answer = await self.engine.aquery(self.store, question, f"{datetime.now():%Y/%m/%d (%a) %H:%M}")
        return answer_text(answer, opened=False, all_in="(not shown)", another="--model gpt-4o-mini")

    def summary(self) -> str:
        """The memory at a glance: its size, its dates, who speaks, and its first and last sessions."""
        return str(summarise(self.store))

    async def session(self, number: int) -> str:
        """One session, each turn on a line. A long one is cut off, with a hint on how to read on."""
        return await self._searched(lambda tools: tools.look([number], long=_WHOLE))

    async def _searched(self, search: Callable[[SearchTools], str]) -> str:
        return await in_search_thread(lambda: search(SearchTools(self.store, "", None)))()


def _page(text: str, page: int) -> str:
    """Return one page of a result: whole lines, under the heading of their session.

    >>> _page("one", 1)
    'one'
    """
    pages = list(constrained_batches(text.split("\n"), _PAGE, strict=False))
    if page > len(pages):
        raise ValueError(f"the result has {len(pages)} pages; there is no page {page}")
    shown = pages[page - 1]
    headings = [line for line in chain(*pages[: page - 1]) if line.startswith(_HEADING)]
    above = [] if shown[0].startswith(_HEADING) else headings[-1:]
    more = [f"(page {page} of {len(pages)}; page={page + 1} shows more)"] if page < len(pages) else []
    return "\n".join([*above, *shown, *more])
