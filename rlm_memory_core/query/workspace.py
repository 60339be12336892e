"""Gives the code of one question access to the history.

The code sees pieces (`search.pieces`) as sessions. The texts of a small history are copied into the REPL as a whole. Of
a large one the code sees how many sessions there are, and reaches each by its position: what sub-agents read need not
pass through the sandbox, and memory grows with what is read, not with the history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..repl.date_functions import days_between, parse_date
from ..repl.hostcalls import from_start, listed
from ..search.piece_index import PieceIndex
from ..search.pieces import Piece, split
from ..search.ranking import rank_pieces
from ..search.threads import in_search_thread
from ..store.escaping import well_formed
from ..store.memory_store import MemoryStore
from ..store.turns import Turn, serialise
from .prompts.record import session_prompt

COPY_LIMIT = 20_000_000  # characters of content: a larger history is not copied into the sandbox
MAX_QUERY_CHARACTERS = 10_000  # of a text to search or to rank by
_SECONDS = 60.0  # for one call: the first one may index the history
_DEFAULT, _MOST = 100, 1000  # turns, positions or sub-agents that one call may ask of a large history


class Workspace:
    """The history as it was when the query began.

    Args:
        store: The history.
        question: The user's question.
        question_date: The day on which it is asked, or None.
        copied: Whether its texts are copied into the REPL; otherwise the code reaches them through functions.
    """

    def __init__(
        self, store: MemoryStore, question: str, question_date: str | None = None, copied: bool = True
    ) -> None:
        self.store, self.copied = store.snapshot(), copied
        self.question = well_formed(question)
        self.question_date = question_date and well_formed(question_date)
        self._positions: dict[int, int] = {}  # of pieces, by the hash of their text or of a prompt that holds it
        self._turns = len(self.store)
        self._sessions = list(self.store.sessions) if copied else []
        self.pieces = [piece for session in self._sessions for piece in split(session)]
        self._index = None if copied else PieceIndex(self.store)
        self.piece_count = len(self.pieces if self._index is None else self._index)
        for position in range(len(self.pieces)):
            self.piece(position)

    def size(self) -> dict[str, int]:
        """How much the history holds; its pieces are called sessions."""
        return {"sessions": self.piece_count, "turns": self._turns, "characters": self.store.characters(self._turns)}

    def session_count(self) -> int:
        """How many sessions hold a turn. A long session is several pieces."""
        return len(set(self.session_numbers())) if self._index is None else self._index.session_count()

    def session_numbers(self) -> list[int]:
        """The number of each piece's session, by position."""
        return [piece.session for piece in self.pieces] if self._index is None else self._index.session_numbers()

    def piece(self, position: Any) -> Piece:
        """The piece at a position, from 0; -1 is the last. The code may send its text to a sub-agent from now on."""
        position = from_start(position, self.piece_count)
        piece = self.pieces[position] if self._index is None else self._index.piece(position)
        self._positions[hash(piece.text)] = position
        return piece

    def recognise(self, text: str) -> Piece | None:
        """The piece whose text this is, or which this prompt asks about; None for any other text.

        The code passes free text. A prompt is recognised if `session_prompt` made it from the text of a piece.
        """
        position = self._positions.get(hash(text))
        return None if position is None else self.piece(position)

    def assignments(
        self, sessions: Sequence[Any], dates: Sequence[str | None] | None, question: str | None
    ) -> list[tuple[str, Piece]]:
        """The prompt and the piece of each sub-agent of a fan-out.

        Args:
            sessions: As the code gave them: texts, or positions of a history that is not copied.
            dates: One date a session, or None: a position then has its session's date, a text has none.
            question: What is asked; None for the user's question.

        Raises:
            TypeError: The sessions are not a list of these.
            ValueError: There are more or fewer dates than sessions, or more sessions than fit in memory.
        """
        of_what = "session texts first, such as `sessions`"
        takes = f"a list of {of_what if self.copied else 'positions first, such as rank_sessions(question, 10)'}"
        sessions = listed("llm_query_parallel", sessions, takes)
        if self.copied and not all(isinstance(each, str) for each in sessions):
            raise TypeError(f"llm_query_parallel takes {takes}")
        if not self.copied and len(sessions) > _MOST:
            raise ValueError(f"llm_query_parallel takes at most {_MOST:,} at once, not {len(sessions):,}")
        pieces = [
            (self.recognise(each) or Piece(0, None, each)) if isinstance(each, str) else self.piece(each)
            for each in sessions
        ]
        known = [None if isinstance(each, str) else piece.date for each, piece in zip(sessions, pieces, strict=True)]
        dates = listed("llm_query_parallel", dates or known, "a list of dates second")
        if len(dates) != len(sessions):
            raise ValueError(f"llm_query_parallel got {len(sessions)} sessions but {len(dates)} dates")
        return [(self._prompt(piece.text, date, question), piece) for piece, date in zip(pieces, dates, strict=True)]

    def values(self) -> dict[str, Any]:
        """The names that the code can read. The REPL calls a function when the code first reads its name."""
        asked = {"question": self.question, "question_date": self.question_date}
        if not self.copied:
            return asked | {"session_count": self.piece_count}
        return asked | {
            "sessions": [piece.text for piece in self.pieces],
            "session_dates": [piece.date for piece in self.pieces],
            "history_turns": lambda: self._as_dicts([turn for session in self._sessions for turn in session.turns]),
            "context": lambda: serialise(self._sessions),
        }

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The names that the code can call. What may read the history's file works in a thread."""
        names = ["search_history", "get_recent", "rank_sessions", "session_prompt"]
        names += [] if self.copied else ["get_session", "get_date"]
        threaded = {name: in_search_thread(getattr(self, name), _SECONDS) for name in names}
        return {**threaded, "parse_date": parse_date, "days_between": days_between}

    def get_session(self, position: int) -> str:
        """The text of the session at a position; -1 is the last."""
        return self.piece(position).text

    def get_date(self, position: int) -> str | None:
        """The date of the session at a position, or None."""
        return self.piece(position).date

    def session_prompt(self, session: Any, date: str | None = None, question: str | None = None) -> str:
        """The prompt that asks a sub-agent to read one session, for the code to send by `llm_query`.

        Of a history that is not copied it takes a position too.
        """
        if not self.copied and not isinstance(session, str):
            piece = self.piece(session)
            session, date = piece.text, date or piece.date
        prompt = self._prompt(session, date, question)
        if isinstance(session, str) and (position := self._positions.get(hash(session))) is not None:
            self._positions[hash(prompt)] = position
        return prompt

    def search_history(self, keyword: str, limit: int | None = None) -> list[dict[str, Any]]:
        """The newest turns that contain the keyword, in order (paper Section 3.2).

        Raises:
            TypeError: The keyword is not a string, or the limit is not a whole number.
            ValueError: The keyword or what was found is too long, or the limit is too high for a large history.
        """
        check_query("search_history", "a keyword", keyword)
        turns = self.store.search_history(keyword, self._most("search_history", limit))
        self._check_size("search_history", sum(len(turn.content) for turn in turns))
        return self._as_dicts(turns)

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """The last n turns (paper Section 3.2)."""
        before = max(self._turns - max(self._most("get_recent", n) or 0, 0), 0)
        self._check_size("get_recent", self.store.characters(self._turns) - self.store.characters(before))
        return self._as_dicts(self.store.turns[before : self._turns])

    def rank_sessions(self, question: str | None = None, k: int | None = None) -> list[int]:
        """Positions of sessions, the most relevant first: k of them; or all, or of a large history the best.

        Raises:
            TypeError: The question is not a string, or k is not a whole number.
            ValueError: The question is too long, or k is negative or too high for a large history.
        """
        most = self._most("rank_sessions", k)
        ranked = rank_pieces(self.store, self.question_to_rank(question), self.question_date, most)
        return [position for position in ranked if position < self.piece_count]

    def question_to_rank(self, question: str | None) -> str:
        """The question that the code ranks by, checked; the user's if it gives none."""
        if question is not None and question != self.question:
            check_query("rank_sessions", "a question", question)
        return question or self.question

    def _prompt(self, text: str, date: str | None, question: str | None) -> str:
        return session_prompt(text, date, question or self.question, self.question_date)

    def _as_dicts(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        """Turns as the code sees them; those of a large history with the positions of their sessions."""
        return [
            {"turn_index": turn.index, "role": turn.role, "content": turn.content}
            | ({"name": turn.name} if turn.name else {})
            | ({} if self._index is None else {"position": self._index.position_of(turn.index)})
            for turn in turns
        ]

    def _most(self, function: str, count: int | None) -> int | None:
        """How many turns or positions a call asks for; only of a large history not all of them."""
        if self.copied:
            return count
        if count is None:
            return _DEFAULT
        if not isinstance(count, int) or isinstance(count, bool):
            raise TypeError(f"{function} takes a whole number, not {type(count).__name__}")
        if not 0 <= count <= _MOST:
            raise ValueError(f"{function} takes a number from 0 to {_MOST:,}, not {count:,}")
        return count

    def _check_size(self, function: str, characters: int) -> None:
        if not self.copied and characters > COPY_LIMIT:
            raise ValueError(f"{function}: these turns hold over {COPY_LIMIT:,} characters; ask for fewer")


def check_query(function: str, what: str, text: object) -> None:
    """Refuse a value that cannot be searched or ranked by, or would take long.

    Raises:
        TypeError: It is not a string.
        ValueError: It is longer than MAX_QUERY_CHARACTERS.
    """
    if not isinstance(text, str):
        raise TypeError(f"{function} takes {what}, not {type(text).__name__}")
    if len(text) > MAX_QUERY_CHARACTERS:
        raise ValueError(
            f"{function} takes at most {MAX_QUERY_CHARACTERS:,} characters, not {len(text):,}; give it words"
        )
