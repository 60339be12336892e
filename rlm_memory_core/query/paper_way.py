"""The paper's way, and the ranked reading built on it: the code sends sub-agents to sessions.

The code sees pieces (`search.pieces`) as sessions, and names each by its text or its position. The texts of a small
history are copied into the REPL as a whole. Of a large one the code sees how many sessions there are: what sub-agents
read need not pass through the sandbox, and memory grows with what is read, not with the history.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from ..models.types import ChatMessage
from ..repl.date_functions import days_between, parse_date
from ..repl.hostcalls import check_text, from_start, listed
from ..search.pieces import Piece, split
from ..search.ranking import arank_sessions, rank_pieces
from ..search.threads import in_search_thread
from ..search.word_index import PieceIndex
from ..store.memory_store import MemoryStore
from ..store.turns import Turn
from .prompts.paper import FORCED, NO_CODE, root_messages
from .prompts.record import NOT_READ, SUBAGENT_SYSTEM, session_prompt
from .reading import COPY_LIMIT, PAPER, Settings
from .subagents import NO_PIECE, Call, Progress
from .way import Way

_SECONDS = 60.0  # for one call: the first one may index the history
_DEFAULT, _MOST = 100, 1000  # turns or positions that one call may ask of a large history


class PaperWay(Way):
    """What the REPL holds for one query: the history as it was when the query began, and functions that ask.

    Args:
        engine, store, question, question_date, progress: As for `Way`.

    The history is `copied` into the REPL if it is no larger than the engine's `copy_limit`, and has no more pieces than
    the code may ask sub-agents. The `copies` are its pieces.
    """

    name, no_code, forced, agents_told = PAPER, NO_CODE, FORCED, SUBAGENT_SYSTEM

    def __init__(
        self, engine: Settings, store: MemoryStore, question: str, question_date: str | None, progress: Progress | None
    ) -> None:
        super().__init__(engine, store, question, question_date, progress)
        most = min(engine.limits.run_subcalls, engine.limits.query_subcalls)
        is_small = self.store.characters() <= engine.copy_limit and len(self.store.sessions) <= most
        self.copies = [piece for session in self.store.sessions for piece in split(session)] if is_small else []
        self.copied = is_small and len(self.copies) <= most
        self._index = None if self.copied else PieceIndex(self.store)
        self._positions: dict[int, int] = {}  # of pieces, by the hash of their text or of a prompt that holds it
        self.pieces = len(self.copies if self._index is None else self._index)
        self.sessions = self._index.session_count() if self._index else len({piece.session for piece in self.copies})
        for position in range(self.pieces if self.copied else 0):
            self.piece(position)
        self.values, self.functions = self._values(), self._functions()
        self.asking = {"llm_query": self.llm_query}
        if engine.parallel:
            self.asking["llm_query_parallel"] = self.llm_query_parallel

    async def open(self, replies: int, instructions: str | None) -> list[ChatMessage]:
        """Tell the root model how large the history is; it sees nothing of it."""
        return root_messages(
            self.question,
            self.question_date,
            sessions=self.pieces,
            turns=len(self.store),
            characters=self.store.characters(),
            parallel=self.engine.parallel,
            copied=self.copied,
            first=self.engine.reading.first,
            instructions=instructions,
        )

    async def llm_query(self, prompt: str) -> str:
        """Ask one sub-agent with any prompt (the paper's `llm_query`)."""
        if not isinstance(prompt, str):
            raise TypeError(f"llm_query takes one string, not {type(prompt).__name__}")
        with self.subagents.batch():
            piece = await asyncio.to_thread(self._recognise, prompt)
            return _told(await self.subagents.ask(prompt, piece or NO_PIECE))

    async def llm_query_parallel(
        self, sessions: Sequence[Any], session_dates: Sequence[str | None] | None = None, question: str | None = None
    ) -> list[str]:
        """Ask one sub-agent a session, all at once; returns their replies in order (the paper's `llm_query_parallel`).

        A reply is an extract, `NOT_FOUND`, or `NOT_READ` if the call failed.

        Args:
            sessions: Texts or positions.
            session_dates: One date a session, or None: a position then has its session's date, a text has none.
            question: What is asked; None for the user's question.

        Raises:
            TypeError: The sessions or the dates are no list, or hold something else.
            ValueError: There are more or fewer dates than sessions, or more positions than fit in memory.
        """
        if question is not None:
            check_text("llm_query_parallel", "a question", question)  # each prompt holds it
        with self.subagents.batch():
            assignments = await asyncio.to_thread(self._assignments, sessions, session_dates, question)
            return list(map(_told, await self.subagents.ask_all(assignments)))

    def piece(self, position: Any) -> Piece:
        """The piece at a position, from 0; -1 is the last. The code may send its text to a sub-agent from now on."""
        position = from_start(position, self.pieces)
        piece = self._index.piece(position) if self._index else self.copies[position]
        self._positions[hash(piece.text)] = position
        return piece

    def session_prompt(self, session: Any, date: str | None = None, question: str | None = None) -> str:
        """The prompt that asks a sub-agent to read one session, given by its text or its position."""
        piece = self._recognise(session) if isinstance(session, str) else self.piece(session)
        if piece is None:
            return session_prompt(session, date, question or self.question, self.question_date)
        date = date if isinstance(session, str) else date or piece.date
        prompt = session_prompt(piece.text, date, question or self.question, self.question_date)
        self._positions[hash(prompt)] = self._positions[hash(piece.text)]
        return prompt

    def search_history(self, keyword: str, limit: int | None = None) -> list[dict[str, Any]]:
        """The newest turns that contain the keyword, in order (paper Section 3.2).

        Raises:
            TypeError: The keyword is not a string, or the limit is not a whole number.
            ValueError: The keyword or what was found is too long, or the limit is too high for a large history.
        """
        check_text("search_history", "a keyword", keyword)
        return self._as_dicts(self.store.search_history(keyword, self._most("search_history", limit)))

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """The last n turns (paper Section 3.2)."""
        return self._as_dicts(self.store.get_recent(self._most("get_recent", n) or 0))

    async def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions of sessions, the most relevant first: k of them; or all, or of a large history the best.

        Raises:
            TypeError: The question is not a string, or k is not a whole number.
            ValueError: The question is too long, or k is negative or too high for a large history.
        """
        most = self._most("rank_sessions", k)
        if question not in (None, self.question):
            check_text("rank_sessions", "a question", question)
        about = (self.store, question or self.question, self.question_date)
        if self.embedder is None:
            ranked = await in_search_thread(rank_pieces, _SECONDS)(*about, most)
            return [position for position in ranked if position < self.pieces]
        order = await arank_sessions(*about, self.embedder, None, self.engine.budget)
        places = {session + 1: place for place, session in enumerate(order)}
        numbers = [piece.session for piece in self.copies]
        if self._index is not None:
            numbers = await asyncio.to_thread(self._index.session_numbers)
        return sorted(range(self.pieces), key=lambda position: places[numbers[position]])[:most]

    def _values(self) -> dict[str, Any]:
        """The names that the code can read. The REPL calls a function when the code first reads its name."""
        asked = {"question": self.question, "question_date": self.question_date}
        if not self.copied:
            return asked | {"session_count": self.pieces}
        return asked | {
            "sessions": [piece.text for piece in self.copies],
            "session_dates": [piece.date for piece in self.copies],
            "history_turns": lambda: self._as_dicts(self.store.turns),
            "context": self.store.to_string,
        }

    def _functions(self) -> dict[str, Callable[..., Any]]:
        """The names that the code can call. What may read the history's file works in a thread."""
        reading: dict[str, Callable[..., Any]] = {
            name: getattr(self, name) for name in ("search_history", "get_recent", "session_prompt")
        }
        if not self.copied:
            reading["get_session"] = lambda position: self.piece(position).text
            reading["get_date"] = lambda position: self.piece(position).date
        threaded = {name: in_search_thread(function, _SECONDS) for name, function in reading.items()}
        return threaded | {"rank_sessions": self.rank_sessions, "parse_date": parse_date, "days_between": days_between}

    def _recognise(self, text: str) -> Piece | None:
        """The piece whose text this is, or which this prompt asks about; None for any other text.

        The code passes free text. A prompt is recognised if `session_prompt` made it for a piece.
        """
        position = self._positions.get(hash(text))
        return None if position is None else self.piece(position)

    def _assignments(
        self, sessions: Sequence[Any], dates: Sequence[str | None] | None, question: str | None
    ) -> list[tuple[str, Piece]]:
        """The prompt and the piece of each sub-agent of a fan-out."""
        name = "llm_query_parallel"
        some = "session texts first, such as `sessions`" if self.copied else "positions first, such as rank_sessions()"
        sessions = listed(name, sessions, f"a list of {some}")
        if len(sessions) > _MOST and not all(isinstance(each, str) for each in sessions):
            raise ValueError(f"{name} takes at most {_MOST:,} positions at once, not {len(sessions):,}")
        dates = listed(name, dates or [None] * len(sessions), "a list of dates second")
        if len(dates) != len(sessions):
            raise ValueError(f"{name} got {len(sessions)} sessions but {len(dates)} dates")
        prompts = [self.session_prompt(each, date, question) for each, date in zip(sessions, dates, strict=True)]
        texts = zip(prompts, sessions, strict=True)
        return [(prompt, self._recognise(prompt) or Piece(0, None, text)) for prompt, text in texts]

    def _as_dicts(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        """Turns as the code sees them; those of a large history with the positions of their sessions.

        Raises:
            ValueError: Those of a large history hold too much together.
        """
        if not self.copied and sum(len(turn.content) for turn in turns) > COPY_LIMIT:
            raise ValueError(f"these turns hold over {COPY_LIMIT:,} characters; ask for fewer")
        return [
            {"turn_index": turn.index, "role": turn.role, "content": turn.content}
            | ({"name": turn.name} if turn.name else {})
            | ({"position": self._index.position_of(turn.index)} if self._index else {})
            for turn in turns
        ]

    def _most(self, function: str, count: int | None) -> int | None:
        """How many turns or positions a call asks for; only of a large history not all of them."""
        if count is None:
            return None if self.copied else _DEFAULT
        if not isinstance(count, int) or isinstance(count, bool):
            raise TypeError(f"{function} takes a whole number, not {type(count).__name__}")
        if count < 0 or (count > _MOST and not self.copied):
            raise ValueError(
                f"{function} takes a number from 0 {'up' if self.copied else f'to {_MOST:,}'}, not {count:,}"
            )
        return count


def _told(call: Call) -> str:
    """What the code is given of a call."""
    return NOT_READ if call.error else call.extract.text
