"""The paper's way, and the ranked reading built on it: the code sends sub-agents to sessions.

What the code sees as sessions are pieces (`search.word_index`). It refers to each by its text or its position. The REPL
has a copy of the whole history, so the history must not be too large: `Reading("search")` is for those.
"""

import asyncio
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from ..models.types import ChatMessage
from ..repl.date_functions import parse_date
from ..repl.values import check_text, from_start, listed
from ..search.ranking import arank_sessions, rank_pieces
from ..search.word_index import Piece, split
from ..store.time_limit import in_search_thread
from ..store.turns import Turn
from .conversation import Query
from .prompts import PAPER_FORCED, PAPER_NO_CODE, SUBAGENT_SYSTEM, root_messages, session_prompt
from .reading import PAPER, SEARCH
from .subagents import NO_PIECE

MOST_CHARACTERS = 30_000_000  # of content in a history; there is one copy of it for each query
_SECONDS = 60.0  # time limit of a call: the first one may index the history
_MOST = 1000  # positions in one call; each becomes a prompt with a copy of the session


class PaperWay(Query):
    """A query in the paper's way: the REPL gives the code the history, and functions that send sub-agents to sessions.

    Raises:
        ValueError: The history has over 30,000,000 characters, or more pieces than the code may make sub-agent calls.
    """

    name, no_code, forced, agents_told = PAPER, PAPER_NO_CODE, PAPER_FORCED, SUBAGENT_SYSTEM

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        characters, most = self.store.characters(), self.engine.limits.query_subcalls
        fits = characters <= MOST_CHARACTERS
        self.pieces = list(islice(chain.from_iterable(map(split, self.store.sessions)), most + 1)) if fits else []
        if not fits or len(self.pieces) > most:
            bounds = f"at most {MOST_CHARACTERS:,} characters, and {most:,} sessions or parts of long ones"
            raise ValueError(f'Reading("{PAPER}") takes {bounds}: this history is too large; use Reading("{SEARCH}")')
        self.sessions, self.piece_count = len({piece.session for piece in self.pieces}), len(self.pieces)
        self._known = {hash(piece.text): piece for piece in self.pieces}  # also by the hash of a prompt to read it
        self.values["sessions"] = [piece.text for piece in self.pieces]
        self.values["session_dates"] = [piece.date for piece in self.pieces]
        self.values["context"] = self.store.to_string
        self.values["history_turns"] = lambda: _as_dicts(self.store.turns)
        reading = (self.search_history, self.get_recent, self.session_prompt)
        self.functions |= {each.__name__: in_search_thread(each, _SECONDS) for each in reading}
        self.functions |= {"rank_sessions": self.rank_sessions, "parse_date": parse_date}
        self.asking = {"llm_query": self.llm_query}
        if self.engine.parallel:
            self.asking["llm_query_parallel"] = self.llm_query_parallel

    async def open(self) -> list[ChatMessage]:
        """Return messages that tell the root model how large the history is. They show none of it."""
        asked = self.question, self.question_date
        size = len(self.pieces), len(self.store), self.store.characters()
        return root_messages(*asked, *size, self.engine.parallel, self.engine.reading.first, self.system)

    async def llm_query(self, prompt: str) -> str:
        """Send one sub-agent any prompt (the paper's `llm_query`)."""
        if not isinstance(prompt, str):
            raise TypeError(f"llm_query takes one string, not {type(prompt).__name__}")
        self.subagents.next_batch()
        return (await self.subagents.ask(prompt, self._known.get(hash(prompt), NO_PIECE))).text

    async def llm_query_parallel(
        self, sessions: Sequence[Any], session_dates: Sequence[str | None] | None = None, question: str | None = None
    ) -> list[str]:
        """Send one sub-agent to each session, all at once (the paper's `llm_query_parallel`).

        Args:
            sessions: Texts or positions.
            session_dates: One date for each session. If None, a position has its session's date and a text has no date.
            question: The question; None means the user's question.

        Returns:
            The replies in order. Each is an extract, `NOT_FOUND`, or `NOT_READ` if the call failed.

        Raises:
            TypeError: The sessions or the dates are not a list, or contain something else.
            ValueError: There are more or fewer dates than sessions, or more positions than fit in memory.
        """
        name = "llm_query_parallel"
        if question is not None:
            check_text(name, "a question", question)  # each prompt contains it
        self.subagents.next_batch()
        sessions = listed(name, sessions, "a list of session texts first, such as `sessions`")
        if len(sessions) > _MOST and not all(isinstance(each, str) for each in sessions):
            raise ValueError(f"{name} takes at most {_MOST:,} positions at once, not {len(sessions):,}")
        dates = listed(name, session_dates or [None] * len(sessions), "a list of dates second")
        if len(dates) != len(sessions):
            raise ValueError(f"{name} got {len(sessions)} sessions but {len(dates)} dates")
        pairs = zip(sessions, dates, strict=True)
        wanted = await asyncio.to_thread(lambda: [self._assignment(each, date, question) for each, date in pairs])
        return [call.text for call in await self.subagents.ask_all(wanted)]

    def session_prompt(self, session: Any, date: str | None = None, question: str | None = None) -> str:
        """Return the prompt that asks a sub-agent to read a session, given as a text or a position."""
        return self._assignment(session, date, question)[0]

    def search_history(self, keyword: str, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the turns that contain the keyword, in order, or only the newest of them (paper Section 3.2).

        Raises:
            TypeError: The keyword is not a string, or the limit is not a number.
            ValueError: The keyword is too long, or the limit is negative.
        """
        check_text("search_history", "a keyword", keyword)
        return _as_dicts(self.store.search_history(keyword, limit))

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """Return the last n turns (paper Section 3.2)."""
        return _as_dicts(self.store.get_recent(n))

    async def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Return the positions of the k most relevant sessions, best first. By default all.

        Raises:
            TypeError: The question is not a string.
            ValueError: The question is too long, or k is negative or not a whole number.
        """
        if question not in (None, self.question):
            check_text("rank_sessions", "a question", question)
        about = (self.store, question or self.question, self.question_date)
        if self.embedder is None:
            return await in_search_thread(rank_pieces, _SECONDS)(*about, k)
        order = await arank_sessions(*about, self.embedder, None, self.engine.budget)
        places = {session + 1: place for place, session in enumerate(order)}
        return list(islice(sorted(range(len(self.pieces)), key=lambda at: places[self.pieces[at].session]), k))

    def _assignment(self, session: Any, date: str | None, question: str | None) -> tuple[str, Piece]:
        """Return the prompt for a sub-agent and the piece that it reads. The session is a text or a position."""
        if isinstance(session, str):
            piece = self._known.get(hash(session)) or Piece(0, None, session)
        else:
            piece = self.pieces[from_start(session, len(self.pieces))]
            date = date or piece.date
        prompt = session_prompt(piece.text, date, question or self.question, self.question_date)
        if piece.session:
            self._known[hash(prompt)] = piece
        return prompt, piece


def _as_dicts(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns as the code sees them."""
    return [
        {"turn_index": turn.index, "role": turn.role, "content": turn.content}
        | ({"name": turn.name} if turn.name else {})
        for turn in turns
    ]
