"""The paper's way, and the ranked reading built on it: the code sends sub-agents to sessions.

What the code sees as sessions are pieces (`search.word_index`). It refers to each by its text or its position. A small
history is copied into the REPL. For a large history, the code gets only the number of sessions and refers to them by
position. So the texts that sub-agents read need not pass through the sandbox, and memory use grows with what is read,
not with the history.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from ..models.types import ChatMessage
from ..repl.date_functions import parse_date
from ..repl.values import check_text, from_start, listed
from ..search.ranking import arank_sessions, rank_pieces
from ..search.word_index import Piece, PieceIndex, piece_number, split
from ..store.time_limit import in_search_thread
from ..store.turns import Turn
from .conversation import Query
from .prompts.record import NOT_READ, PAPER_FORCED, PAPER_NO_CODE, SUBAGENT_SYSTEM, root_messages, session_prompt
from .reading import COPY_LIMIT, PAPER
from .subagents import NO_PIECE
from .trace import Call

_SECONDS = 60.0  # time limit of a call: the first one may index the history
_DEFAULT, _MOST = 100, 1000  # turns or positions that one call returns from a large history


class PaperWay(Query):
    """A query in the paper's way: the REPL gives the code the history, and functions that send sub-agents to sessions.

    `copied` says whether the REPL has a copy of the history. It has one if the history is no larger than the engine's
    `copy_limit` and has no more pieces than the code may make sub-agent calls. `copies` then contains the pieces.
    """

    name, no_code, forced, agents_told = PAPER, PAPER_NO_CODE, PAPER_FORCED, SUBAGENT_SYSTEM

    def __post_init__(self) -> None:
        super().__post_init__()
        store, most = self.store, self.engine.limits.query_subcalls
        is_small = store.characters() <= self.engine.copy_limit and len(store.sessions) <= most
        self.copies = [piece for session in store.sessions for piece in split(session)] if is_small else []
        self.copied = is_small and len(self.copies) <= most
        self._index = None if self.copied else PieceIndex(store)
        self.pieces = len(self.copies if self._index is None else self._index)
        self.sessions = self._index.session_count() if self._index else len({piece.session for piece in self.copies})
        # positions of pieces, by the hash of their text or of a prompt that contains it
        self._positions = {hash(piece.text): position for position, piece in enumerate(self.copies)}
        reading: list[Callable[..., Any]] = [self.search_history, self.get_recent, self.session_prompt]
        if self.copied:
            self.values["sessions"] = [piece.text for piece in self.copies]
            self.values["session_dates"] = [piece.date for piece in self.copies]
            self.values["context"] = store.to_string
            self.values["history_turns"] = lambda: self._as_dicts(store.turns)
        else:
            self.values["session_count"] = self.pieces
            reading += [self.get_session, self.get_date]
        self.functions |= {each.__name__: in_search_thread(each, _SECONDS) for each in reading}
        self.functions |= {"rank_sessions": self.rank_sessions, "parse_date": parse_date}
        self.asking = {"llm_query": self.llm_query}
        if self.engine.parallel:
            self.asking["llm_query_parallel"] = self.llm_query_parallel

    async def open(self) -> list[ChatMessage]:
        """Return messages that tell the root model how large the history is. They show none of it."""
        return root_messages(
            self.question,
            self.question_date,
            sessions=self.pieces,
            turns=len(self.store),
            characters=self.store.characters(),
            parallel=self.engine.parallel,
            copied=self.copied,
            first=self.engine.reading.first,
            instructions=self.system,
        )

    async def llm_query(self, prompt: str) -> str:
        """Send one sub-agent any prompt (the paper's `llm_query`)."""
        if not isinstance(prompt, str):
            raise TypeError(f"llm_query takes one string, not {type(prompt).__name__}")
        self.subagents.next_batch()
        piece = await asyncio.to_thread(self._recognise, prompt)
        return _told(await self.subagents.ask(prompt, piece or NO_PIECE))

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
        if question is not None:
            check_text("llm_query_parallel", "a question", question)  # each prompt contains it
        self.subagents.next_batch()
        assignments = await asyncio.to_thread(self._assignments, sessions, session_dates, question)
        return list(map(_told, await self.subagents.ask_all(assignments)))

    def piece(self, position: Any) -> Piece:
        """Return the piece at a position, from 0; -1 is the last. From now on its text is recognised."""
        position = from_start(position, self.pieces)
        piece = self._index.piece(position) if self._index else self.copies[position]
        self._positions[hash(piece.text)] = position
        return piece

    def get_session(self, position: Any) -> str:
        """Return the text of a session in a history that was not copied."""
        return self.piece(position).text

    def get_date(self, position: Any) -> str | None:
        """Return the date of a session in a history that was not copied, or None."""
        return self.piece(position).date

    def session_prompt(self, session: Any, date: str | None = None, question: str | None = None) -> str:
        """Return the prompt that asks a sub-agent to read a session, given as a text or a position."""
        return self._assignment(session, date, question)[0]

    def search_history(self, keyword: str, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the newest turns that contain the keyword, in order (paper Section 3.2).

        Raises:
            TypeError: The keyword is not a string, or the limit is not a whole number.
            ValueError: The keyword or the result is too long, or the limit is too high for a large history.
        """
        check_text("search_history", "a keyword", keyword)
        return self._as_dicts(self.store.search_history(keyword, self._most("search_history", limit)))

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """Return the last n turns (paper Section 3.2)."""
        return self._as_dicts(self.store.get_recent(self._most("get_recent", n) or 0))

    async def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Return the positions of the k most relevant sessions, best first. By default all; 100 in a large history.

        Raises:
            TypeError: The question is not a string, or k is not a whole number.
            ValueError: The question is too long, or k is negative or too high for a large history.
        """
        most = self._most("rank_sessions", k)
        if question not in (None, self.question):
            check_text("rank_sessions", "a question", question)
        about = (self.store, question or self.question, self.question_date)
        if self.embedder is None:
            return await in_search_thread(rank_pieces, _SECONDS)(*about, most)
        order = await arank_sessions(*about, self.embedder, None, self.engine.budget)
        places = {session + 1: place for place, session in enumerate(order)}
        in_copies = [piece.session for piece in self.copies]
        numbers = await asyncio.to_thread(self._index.session_numbers) if self._index else in_copies
        return sorted(range(self.pieces), key=lambda position: places[numbers[position]])[:most]

    def _recognise(self, text: str) -> Piece | None:
        """Return the piece with this text, or the piece that this `session_prompt` is for; None for other texts."""
        position = self._positions.get(hash(text))
        return None if position is None else self.piece(position)

    def _assignment(self, session: Any, date: str | None, question: str | None) -> tuple[str, Piece]:
        """Return the prompt for a sub-agent and the piece that it reads. The session is a text or a position."""
        if isinstance(session, str):
            piece = self._recognise(session) or Piece(0, None, session)
        else:
            piece = self.piece(session)
            date = date or piece.date
        prompt = session_prompt(piece.text, date, question or self.question, self.question_date)
        if piece.session:
            self._positions[hash(prompt)] = self._positions[hash(piece.text)]
        return prompt, piece

    def _assignments(
        self, sessions: Sequence[Any], dates: Sequence[str | None] | None, question: str | None
    ) -> list[tuple[str, Piece]]:
        """Return the prompt and the piece of each sub-agent in a fan-out."""
        name = "llm_query_parallel"
        some = "session texts first, such as `sessions`" if self.copied else "positions first, such as rank_sessions()"
        sessions = listed(name, sessions, f"a list of {some}")
        if len(sessions) > _MOST and not all(isinstance(each, str) for each in sessions):
            raise ValueError(f"{name} takes at most {_MOST:,} positions at once, not {len(sessions):,}")
        dates = listed(name, dates or [None] * len(sessions), "a list of dates second")
        if len(dates) != len(sessions):
            raise ValueError(f"{name} got {len(sessions)} sessions but {len(dates)} dates")
        return [self._assignment(each, date, question) for each, date in zip(sessions, dates, strict=True)]

    def _as_dicts(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        """Return turns as the code sees them. In a large history, each also has the position of its session.

        Raises:
            ValueError: The history is large, and these turns together are too long.
        """
        if not self.copied and sum(len(turn.content) for turn in turns) > COPY_LIMIT:
            raise ValueError(f"these turns hold over {COPY_LIMIT:,} characters; ask for fewer")
        return [
            {"turn_index": turn.index, "role": turn.role, "content": turn.content}
            | ({"name": turn.name} if turn.name else {})
            | ({"position": piece_number(self.store, turn.index) - 1} if self._index else {})
            for turn in turns
        ]

    def _most(self, function: str, count: int | None) -> int | None:
        """Check how many turns or positions a call asks for. None means all; in a large history, the default."""
        if count is None:
            return None if self.copied else _DEFAULT
        if not isinstance(count, int) or isinstance(count, bool):
            raise TypeError(f"{function} takes a whole number, not {type(count).__name__}")
        if count < 0 or (count > _MOST and not self.copied):
            most = "up" if self.copied else f"to {_MOST:,}"
            raise ValueError(f"{function} takes a number from 0 {most}, not {count:,}")
        return count


def _told(call: Call) -> str:
    """Return the text that the code gets from a call."""
    return NOT_READ if call.error else call.extract.text
