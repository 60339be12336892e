"""Gives the code of one question access to a history that is too large to be copied into the REPL.

The code sees how many sessions there are and reaches each by its position. Sub-agents are sent to positions, so that
what they read need not pass through the sandbox. Memory grows with what is read, not with the history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..repl.hostcalls import from_start
from ..search.piece_index import PieceIndex
from ..search.pieces import Piece
from ..store.turns import Turn
from .workspace import DATE_FUNCTIONS, Size, Workspace, as_dict, check_query, in_thread

COPY_LIMIT = 20_000_000  # characters of content: a larger history is not copied into the sandbox
MOST_AT_ONCE = 1000  # turns, positions or sub-agents that one call may ask for
_DEFAULT = 100


class LargeWorkspace(Workspace):
    """A history whose pieces are read when they are needed; the code reaches it through functions.

    Args:
        store, question, question_date: As for `Workspace`.
    """

    copied = False
    takes = "a list of positions first, such as rank_sessions(question, 10)"

    def _open(self) -> None:
        self.index = PieceIndex(self.store)
        self._turns = len(self.store)

    @property
    def size(self) -> Size:
        """How much the history holds."""
        return Size(len(self.index), self._turns, self.store.characters(self._turns))

    def session_count(self) -> int:
        """How many sessions hold a turn."""
        return self.index.session_count()

    def session_numbers(self) -> list[int]:
        """The number of each piece's session, by position."""
        return self.index.session_numbers()

    def values(self) -> dict[str, Any]:
        """The names that the code can read."""
        return {"question": self.question, "question_date": self.question_date, "session_count": len(self.index)}

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The names that the code can call. Each works in a thread, so that other queries go on."""
        functions: dict[str, Callable[..., Any]] = {
            "get_session": self.get_session,
            "get_date": self.get_date,
            "search_history": self.search_history,
            "get_recent": self.get_recent,
            "rank_sessions": self.rank_sessions,
            "session_prompt": self.session_prompt,
        }
        return {name: in_thread(function) for name, function in functions.items()} | DATE_FUNCTIONS

    def piece(self, position: int) -> Piece:
        """The piece at a position, read from the file; the code may send its text to a sub-agent from now on."""
        position = from_start(position, len(self.index))
        piece = self.index.piece(position)
        self._positions[hash(piece.text)] = position
        return piece

    def check_sessions(self, sessions: Sequence[Any]) -> None:
        """Refuse more sessions than fit in memory.

        Raises:
            ValueError: There are more than `MOST_AT_ONCE`.
        """
        check_at_once("llm_query_parallel", sessions)

    def get_session(self, position: int) -> str:
        """The text of the session at a position; -1 is the last."""
        return self.piece(position).text

    def get_date(self, position: int) -> str | None:
        """The date of the session at a position, or None."""
        return self.index.date(from_start(position, len(self.index)))

    def search_history(self, keyword: str, limit: int = _DEFAULT) -> list[dict[str, Any]]:
        """The newest turns that contain the keyword, in order, each with the position of its session.

        Raises:
            TypeError: The keyword is not a string, or the limit is not a whole number.
            ValueError: The keyword or what was found is too long, or the limit is not from 0 to `MOST_AT_ONCE`.
        """
        check_query("search_history", "a keyword", keyword)
        limit = _checked_count("search_history", limit)
        turns = self.store.search_history(keyword, limit)
        _check_size("search_history", sum(len(turn.content) for turn in turns))
        return self._as_dicts(turns)

    def get_recent(self, n: int) -> list[dict[str, Any]]:
        """The last n turns, each with the position of its session."""
        before = max(self._turns - _checked_count("get_recent", n), 0)
        _check_size("get_recent", self.store.characters(self._turns) - self.store.characters(before))
        return self._as_dicts(self.store.turns[before : self._turns])

    def rank_sessions(self, question: str | None = None, k: int | None = _DEFAULT) -> list[int]:
        """The positions of the k most relevant sessions, the best first.

        Raises:
            TypeError: The question is not a string, or k is not a whole number.
            ValueError: The question is too long, or k is not from 0 to `MOST_AT_ONCE`.
        """
        count = _checked_count("rank_sessions", k)
        return self.index.rank(self.question_to_rank(question), count, self.question_date)

    def session_prompt(self, session: Any, date: str | None = None, question: str | None = None) -> str:
        """The prompt that asks a sub-agent to read the session at a position, or any text."""
        if not isinstance(session, str):
            piece = self.piece(session)
            session, date = piece.text, date or piece.date
        return super().session_prompt(session, date, question)

    def _as_dicts(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        return [{**as_dict(turn), "position": self.index.position_of(turn.index)} for turn in turns]


def check_at_once(function: str, asked: Sequence[Any]) -> None:
    """Refuse to read more of a large history in one call than fits in memory.

    Raises:
        ValueError: The call asks for more than MOST_AT_ONCE.
    """
    if len(asked) > MOST_AT_ONCE:
        raise ValueError(f"{function} takes at most {MOST_AT_ONCE:,} at once, not {len(asked):,}")


def _checked_count(function: str, count: object) -> int:
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{function} takes a whole number, not {type(count).__name__}")
    if not 0 <= count <= MOST_AT_ONCE:
        raise ValueError(f"{function} takes a number from 0 to {MOST_AT_ONCE:,}, not {count:,}")
    return count


def _check_size(function: str, characters: int) -> None:
    if characters > COPY_LIMIT:
        raise ValueError(f"{function}: these turns hold over {COPY_LIMIT:,} characters; ask for fewer")
