"""The search reading: the code searches the history by itself, and sends sub-agents only with `read`.

The first message to the root model already shows the result of a search with the question. If none of a model's code
runs, it also gets a search result, in the form of a short history.
"""

import ast
import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import chain, groupby

from ..models.budget import GRACE
from ..models.types import ChatMessage, ContextExceeded
from ..repl.dialect.rewriter import MAX_CODE_CHARACTERS
from ..repl.values import check_text, listed, to_text
from ..search.find import Hit
from ..search.threads import in_search_thread
from ..search.word_index import Piece, piece_number, split
from ..store.turns import Session, Turn, serialise
from .answer import Answer
from .conversation import Query
from .evidence import quoted
from .excerpts import excerpt, one_line
from .opening import best, opening
from .parsing import parse_message
from .prompts.record import history_messages, session_prompt
from .prompts.search import FORCED, NO_CODE, SEARCH_SUBAGENT_SYSTEM, news_told, search_messages
from .reading import SEARCH
from .search_tools import OF_ASSISTANT, SearchTools, dated
from .trace import Call

WITHOUT_CODE = "no code"
"""The `mode` of an answer that a model gave without code."""

ROOMS = (4_000, 2_000, 800)
"""How many characters are shown to a model without code. Small models answer better from short texts. If the text is
too long for the server, the next size is tried: some servers accept only 2,000 tokens in all."""

_QUIET = (ast.Call, ast.Constant, ast.Await, ast.Yield, ast.YieldFrom)  # many calls return None
_READ_TOKENS = 3_000  # about how many tokens a sub-agent uses to read a session
_ASSISTANT = 600  # characters that it sees of an assistant's turn, unless the question is about what the assistant said
_MOST_CHARACTERS = 2_000_000  # of one session
_HITS, _SESSIONS, _TURN = 8, 3, 500  # for a model without code: hits, then sessions; characters of each turn
_FULL = 20  # with room for fewer characters, no further turn is added


class SearchWay(Query):
    """A query of the search reading. Its code has the free tools and `read`."""

    name, no_code, forced, agents_told = SEARCH, NO_CODE, FORCED, SEARCH_SUBAGENT_SYSTEM
    patience, runs_last = 2, True

    def __post_init__(self) -> None:
        super().__post_init__()
        tools = SearchTools(self.store, self.question, self.question_date, self.embedder, self.engine.budget)
        self.tools, self.cited, self.false_quotes = tools, tools.cited, tools.false_quotes
        self.values["session_dates"] = tools.session_dates
        threaded = {tool.__name__: in_search_thread(tool) for tool in (tools.look, tools.timeline, tools.cite)}
        self.functions |= threaded | {"find": tools.find, "parse_date": dated}
        self.asking = {"read": self.read}
        self.sessions = len(self.store.sessions)
        self._was_read: set[tuple[int, str]] = set()

    async def open(self) -> list[ChatMessage]:
        """Return the first messages to the root model. They show what a search with the question finds."""
        turns, replies = len(self.store), self.engine.max_iterations
        try:
            shown = await opening(self.tools)
        except TimeoutError as error:
            shown = f"({error})"
        self.pieces = piece_number(self.store, turns)
        until = self.tools.listing.date(self.sessions) if self.sessions else None
        asked = self.question, self.question_date
        return search_messages(*asked, self.sessions, turns, until, shown, replies, _READ_TOKENS, self.system)

    def prepare(self, code: str) -> str:
        """Return the code, changed so that it prints what tools return."""
        return with_echo(code, (*self.functions, *self.asking))

    def printed(self, output: str) -> tuple[str, str]:
        """Mark the turns in the output as shown, and remove those that were shown before."""
        text, new = self.tools.listing.printed(output)
        return text, news_told(self.tools.news(new), bool(self.cited))

    def shown(self) -> list[Turn]:
        """Return the turns that the root model has seen."""
        return [self.tools.turn(number) for number in sorted(self.tools.listing.shown)]

    async def without_code(self, error: ContextExceeded | None = None) -> Answer:
        """Search with the question and ask for the answer in one call. If the text is too long, show less of it."""
        for room in ROOMS:
            shown, turns = await self.engine.budget.wait_for(self.record(room), GRACE)
            try:
                reply = await self.ask(history_messages(shown, self.question, self.question_date, self.system))
                break
            except ContextExceeded:
                if room == ROOMS[-1]:
                    raise
        self.note(reply, f"(the engine searched by itself and showed the model this)\n{shown}")
        message = parse_message(reply.text)
        text = to_text(message.final.text if message.final else message.prose)
        self.cited = self.cited or quoted(text, turns, self.store)
        return replace(self.finish(text), mode=WITHOUT_CODE)

    async def record(self, room: int) -> tuple[str, list[Turn]]:
        """Return the turns that match the question best, in the order of the history.

        Returns:
            Their text, with at most `room` characters of content, and the turns as they are stored.
        """
        listing, found = self.tools.listing, (await best(self.tools)).hits[:_HITS]
        followed = list(dict.fromkeys(hit.turn.session for hit in found))[:_SESSIONS]
        follow = (turn for number in followed for turn in listing.session(number) if turn.role != "assistant")
        hits = chain(found, map(Hit, follow))
        shown: dict[int, Turn] = {}
        for hit in hits:
            if room < _FULL:
                break
            text = excerpt(hit, _TURN)
            if hit.turn.index not in shown and len(text) <= room:
                shown[hit.turn.index] = replace(hit.turn, content=text)
                room -= len(text)
        turns = [shown[index] for index in sorted(shown)]
        sessions = groupby(turns, lambda turn: turn.session)
        text = serialise([Session(number, listing.date(number), tuple(each)) for number, each in sessions])
        return text, [self.tools.turn(turn.index) for turn in turns]

    async def read(self, sessions: int | Sequence[int], ask: str | None = None) -> str:
        """Send sub-agents to sessions, and list what they find under the headings of the sessions, in order.

        A session that was read for the same question is not read again.

        Raises:
            TypeError: The sessions are not a list of numbers.
            ValueError: There is no such session, or the sessions are too long or too many.
        """
        listing, asked = self.tools.listing, check_text("read", "a question", ask) if ask else self.question
        numbers = [sessions] if isinstance(sessions, int) else listed("read", sessions, "session numbers")
        wanted = sorted(set(map(self.tools.session, numbers)))
        new = [number for number in wanted if (number, asked) not in self._was_read]
        self.subagents.next_batch()
        pieces = await asyncio.to_thread(self._all_pieces, new, asked)
        prompts = [session_prompt(piece.text, piece.date, asked, self.question_date) for piece in pieces]
        calls = await self.subagents.ask_all(list(zip(prompts, pieces, strict=True)))
        failed = sorted({call.number for call in calls if call.error and call.number})
        self._was_read |= {(number, asked) for number in new if number not in failed}
        lines: list[str] = []
        for number in new:
            found = [line for call in calls if call.number == number and call.found for line in _findings(call)]
            lines += [listing.heading(number), *map(listing.note, found)] if found else []
        lines = lines or ["nothing found"]
        lines += [f"(session {number} was read for this before)" for number in wanted if number not in new]
        return "\n".join([*lines, *(f"(session {number} could not be read)" for number in failed)])

    def _all_pieces(self, numbers: Sequence[int], asked: str) -> list[Piece]:
        """Return the pieces of sessions for sub-agents.

        Raises:
            ValueError: A session is too long, or the sessions are too long or too many for sub-agents.
        """
        sql, limits = "SELECT sum(length(content)) FROM turns WHERE session = ? AND turn_index <= ?", self.engine.limits
        sizes = {number: self.store.query(sql, (number, len(self.store)))[0][0] or 0 for number in numbers}
        if long := [number for number, size in sizes.items() if size > _MOST_CHARACTERS]:
            raise ValueError(f"session {long[0]} is too long to be read as a whole; use find and look(around=turn)")
        if (size := sum(sizes.values())) > limits.query_prompt_characters:
            raise ValueError(f"these sessions hold {size:,} characters: read fewer at once")
        pieces = [piece for number in numbers for piece in self._pieces(number, asked)]
        if len(pieces) > (left := limits.query_subcalls - len(self.subagents.calls)):
            raise ValueError(f"these sessions take {len(pieces):,} sub-agents, and {left:,} are left: read fewer")
        return pieces

    def _pieces(self, number: int, asked: str) -> list[Piece]:
        """Return the pieces of a session for sub-agents. Their texts are shortened; their `turns` are not."""
        whole = {turn.index: turn for turn in self.tools.listing.session(number)}
        room = _MOST_CHARACTERS if OF_ASSISTANT.search(f"{asked} {self.question}") else _ASSISTANT
        turns = [
            replace(turn, content=f"{turn.content[:room]} …")
            if turn.role == "assistant" and len(turn.content) > room
            else turn
            for turn in whole.values()
        ]
        pieces = split(Session(number, self.tools.listing.date(number), tuple(turns)))
        return [replace(piece, turns=tuple(whole[turn.index] for turn in piece.turns)) for piece in pieces]


def _findings(call: Call) -> list[str]:
    """Return a line for each finding of a sub-agent: the turn, the quote, and what it says."""
    if not call.extract.findings:
        return [one_line(call.extract.text)]
    return [f'{each.turn} "{one_line(each.quote)}": {one_line(each.text)}' for each in call.extract.findings]


def with_echo(code: str, tools: Collection[str]) -> str:
    """Put print(...) around each statement that is only a call to a tool, or only a value such as a variable.

    Args:
        code: A program. If it does not parse, it is returned unchanged; running it then reports the error.
        tools: The names of the tools.

    >>> print(with_echo('hits = find("cat")\\nif hits:\\n    look([3])\\nhits', ["find", "look"]))
    hits = find("cat")
    if hits:
        print(look([3]))
    print(hits)
    """
    if len(code) > MAX_CODE_CHARACTERS:
        return code
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code
    lines = [line.encode() for line in code.split("\n")]
    bare = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and _says_something(node.value, tools)]
    for value in sorted(bare, key=lambda value: (value.lineno, value.col_offset), reverse=True):
        end, start = (value.end_lineno or value.lineno) - 1, value.lineno - 1
        lines[end] = lines[end][: value.end_col_offset] + b")" + lines[end][value.end_col_offset :]
        lines[start] = lines[start][: value.col_offset] + b"print(" + lines[start][value.col_offset :]
    return b"\n".join(lines).decode()


def _says_something(value: ast.expr, tools: Collection[str]) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in tools
    return not isinstance(value, _QUIET)
