"""The search reading: the code searches the history by itself, and sends sub-agents only with `read`.

The first message to the root model already shows what a search with the question finds (`opening`). If none of a
model's code runs, it answers from such a search result too.
"""

import ast
import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from ..models.budget import GRACE, BudgetExceeded
from ..models.pricing import Usage
from ..models.types import ChatMessage, ContextExceeded, ModelError, RecordingError, Reply
from ..repl.dialect.rules import TextEdits
from ..repl.values import check_text, listed, to_text
from ..search.find import Filters, Found, Hit, linked_turns
from ..search.ranking import arank_sessions, periods
from ..search.word_index import Piece, piece_number, split
from ..store.time_limit import in_search_thread
from ..store.turns import Session
from . import prompts
from .answer import Answer
from .conversation import Query
from .evidence import Call
from .listing import OF_ASSISTANT, OF_USER, left_out, one_line
from .parsing import parse_code, parse_message
from .reading import SEARCH
from .search_tools import LINKED, SearchTools, dated

WITHOUT_CODE = "no code"
"""The `mode` of an answer that a model gave without code."""

ROOMS = (4_000, 2_000, 800)
"""How many characters are shown to a model without code. Small models answer better from short texts. If the text is
too long for the server, the next size is tried: some servers accept only 2,000 tokens in all."""

_TURNS, _CLOSE = 8, 0.6  # turns that the opening shows; the lowest score of one, as a share of the best score
_PREFERRED = 20  # turns of so many top-ranked sessions are ranked higher
_ANSWERS = 0.35  # an assistant's turn with so much of the question's weight probably answers it
_IN_TIME, _SPAN = 4, 31  # turns shown from that time; maximum days that it may cover
_QUIET = (ast.Call, ast.Constant, ast.Await, ast.Yield, ast.YieldFrom)  # many calls return None
_READ_TOKENS = 3_000  # about how many tokens a sub-agent uses to read a session
_ASSISTANT = 600  # characters that it sees of an assistant's turn, unless the question is about what the assistant said
_MOST_CHARACTERS = 2_000_000  # of the sessions that one call reads
_SESSIONS, _OTHERS = 3, 100  # for a model without code: sessions whose other turns are added; maximum of these turns
_NUMBER = re.compile(r"\b\d{1,9}\b")


class SearchWay(Query):
    """A query of the search reading. Its code has the free tools and `read`."""

    name, no_code, forced = SEARCH, prompts.SEARCH_NO_CODE, prompts.SEARCH_FORCED
    agents_told = prompts.SEARCH_SUBAGENT_SYSTEM
    patience, runs_last = 2, True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        tools = self.tools
        self.values["session_dates"] = tools.session_dates
        threaded = {tool.__name__: in_search_thread(tool) for tool in (tools.look, tools.timeline, tools.cite)}
        self.functions |= threaded | {"find": tools.find, "parse_date": dated}
        self.asking = {"read": self.read}
        self._was_read: set[tuple[int, str, int]] = set()

    async def open(self) -> list[ChatMessage]:
        """Return the first messages to the root model. They show what a search with the question finds."""
        turns, replies = len(self.store), self.engine.max_iterations
        try:
            shown = await opening(self.tools)
        except TimeoutError as error:
            shown = f"({error})"
        self.piece_count = piece_number(self.store, turns)
        until = self.listing.date(self.sessions) if self.sessions else None
        asked = self.question, self.question_date
        return prompts.search_messages(*asked, self.sessions, turns, until, shown, replies, _READ_TOKENS, self.system)

    def prepare(self, code: str) -> str:
        """Return the code, changed so that it prints what tools return."""
        return with_echo(code, (*self.functions, *self.asking))

    async def check(self, new: Collection[int], output: str, answer: str) -> str:
        """Return why new turns in the output make the answer beside it too early, or "".

        If the answer has citations, the model says which of the turns may change it, in a short call without the
        conversation. If that call fails, the answer counts unchecked.
        """
        if new and (0 in new or not self.cited):  # 0 is a sub-agent's finding
            return prompts.unseen(bool(self.cited))
        if not (turns := self.tools.to_check(new, answer)):
            return ""
        cited, found = self.listing.quotes(self.cited), self.listing.lines_of(output, turns)
        messages = prompts.check_messages(self.question, self.question_date, one_line(answer), cited, found)
        try:
            reply = await self.ask(messages)
        except RecordingError:
            raise  # a replay must do what the run did
        except (ModelError, BudgetExceeded) as error:
            self.note(Reply("", Usage(), 0.0), f"(this answer was not checked: {error})")
            return ""
        self.note(reply, "(the engine asked which of the new turns may change the answer)")
        first = reply.text.strip().partition("\n")[0]
        is_none = reply.cut or "none" in first.lower()
        named = [] if is_none else sorted({*turns}.intersection(map(int, _NUMBER.findall(first))))
        return prompts.answer_again(named) if named else ""

    async def without_code(self, error: ContextExceeded | None = None) -> Answer:
        """Search with the question and ask for the answer in one call. If the text is too long, show less of it."""
        text = await self.engine.budget.wait_for(self._searched(), GRACE)
        for room in ROOMS:
            try:
                reply = await self.ask(
                    prompts.history_messages(text[:room], self.question, self.question_date, self.system)
                )
                break
            except ContextExceeded:
                if room == ROOMS[-1]:
                    raise
        self.listing.printed(text[:room])  # the model has seen these turns
        self.note(reply, f"(the engine searched by itself and showed the model this)\n{text[:room]}")
        message = parse_message(reply.text)
        answer = to_text(message.final.text if message.final else message.prose)
        return replace(self.finish(answer), mode=WITHOUT_CODE)

    async def _searched(self) -> str:
        """List what a search with the question finds, and then what else the user said in the best sessions."""
        hits = (await best(self.tools)).hits
        found = {hit.turn.index for hit in hits}
        sessions = list(dict.fromkeys(hit.turn.session for hit in hits))[:_SESSIONS]
        turns = (turn for number in sessions for turn in self.listing.session(number) if turn.role != "assistant")
        others = [Hit(turn) for turn in islice(turns, _OTHERS) if turn.index not in found]
        return "\n".join([*self.listing.hits(hits, OF_USER), *self.listing.hits(others, OF_USER)])

    async def read(self, sessions: int | Sequence[int], ask: str | None = None) -> str:
        """Send sub-agents to sessions, and list what they find under the headings of the sessions, in order.

        A session that was read for the same question is not read again.

        Raises:
            TypeError: The sessions are not a list of numbers.
            ValueError: There is no such session, or the sessions are too long or too many.
        """
        asked = check_text("read", "a question", ask) if ask else self.question
        numbers = [sessions] if isinstance(sessions, int) else listed("read", sessions, "session numbers")
        wanted = sorted(set(map(self.tools.session, numbers)))
        losses = self.subagents.losses  # what the code has lost is read again
        new = [number for number in wanted if (number, asked, losses) not in self._was_read]
        self.subagents.next_batch()
        calls = await self.subagents.ask_all(await asyncio.to_thread(self._assignments, new, asked))
        failed = sorted({call.number for call in calls if call.error and call.number})
        self._was_read |= {(number, asked, losses) for number in new if number not in failed}
        lines: list[str] = []
        for number in new:
            found = [line for call in calls if call.number == number and call.found for line in _findings(call)]
            lines += [self.listing.heading(number), *map(self.listing.note, found)] if found else []
        lines = lines or ["nothing found"]
        lines += [f"(session {number} was read for this before)" for number in wanted if number not in new]
        return "\n".join([*lines, *(f"(session {number} could not be read)" for number in failed)])

    def _assignments(self, numbers: Sequence[int], asked: str) -> list[tuple[str, Piece]]:
        """Return the prompt and the piece of each sub-agent that reads one of these sessions.

        Raises:
            ValueError: The sessions are too long or too many for sub-agents.
        """
        sql, limits = "SELECT sum(length(content)) FROM turns WHERE session = ? AND turn_index <= ?", self.engine.limits
        size = sum(self.store.query(sql, (number, len(self.store)))[0][0] or 0 for number in numbers)
        if size > min(_MOST_CHARACTERS, limits.query_prompt_characters):
            raise ValueError(f"these sessions hold {size:,} characters: read fewer, or use find and look(around=turn)")
        pieces = [piece for number in numbers for piece in self._pieces(number, asked)]
        if len(pieces) > (left := limits.query_subcalls - len(self.subagents.calls)):
            raise ValueError(f"these sessions take {len(pieces):,} sub-agents, and {left:,} are left: read fewer")
        return [(prompts.session_prompt(piece.text, piece.date, asked, self.question_date), piece) for piece in pieces]

    def _pieces(self, number: int, asked: str) -> list[Piece]:
        """Return the pieces of a session for sub-agents. Their texts are shortened; their `turns` are not."""
        whole = {turn.index: turn for turn in self.listing.session(number)}
        room = _MOST_CHARACTERS if OF_ASSISTANT.search(f"{asked} {self.question}") else _ASSISTANT
        turns = [
            replace(turn, content=f"{turn.content[:room]} …")
            if turn.role == "assistant" and len(turn.content) > room
            else turn
            for turn in whole.values()
        ]
        pieces = split(Session(number, self.listing.date(number), tuple(turns)))
        return [replace(piece, turns=tuple(whole[turn.index] for turn in piece.turns)) for piece in pieces]


async def best(tools: SearchTools) -> Found:
    """Return the turns that match the question best. The ranking of their sessions counts too."""
    asked = tools.question, tools.question_date
    ranked = await arank_sessions(tools.store, *asked, tools.embedder, _PREFERRED, tools.budget)
    sessions = [place + 1 for place in ranked if place < len(tools.store.sessions)]
    return await tools.found((tools.question,), Filters(), _TURNS, 2, sessions, least=0.0)


async def opening(tools: SearchTools) -> str:
    """List the turns that match the question best, or else some from the time that it names. They count as shown."""
    found = await best(tools)
    close = [hit for hit in found.hits if hit.score >= _CLOSE * found.hits[0].score]
    spoken = [hit for hit in close if hit.turn.role != "assistant"]
    of_assistant = OF_ASSISTANT.search(tools.question)
    hits = close if of_assistant else spoken or close[:1]
    said = [hit for hit in hits if of_assistant and hit.turn.role == "assistant" and hit.share >= _ANSWERS]
    if of_assistant and not said and len({hit.turn.session for hit in hits}) == 1:
        at = hits[0].turn.index
        said = [Hit(turn) for turn in tools.store.turns[at : at + 1] if turn.session == hits[0].turn.session]
        hits += said
    answer = max(said, key=lambda hit: hit.share, default=None)
    linked = await in_search_thread(linked_turns)(tools.store, hits, Filters(), LINKED)
    spans = [] if hits else periods(tools.question[:1_000], tools.question_date)
    days = sorted({(span.start.toordinal(), span.end.toordinal()) for span in spans if span.width <= _SPAN})
    of_time = {turn: None for each in days for turn in await in_search_thread(tools.topics)(_IN_TIME, *each)}
    hits += map(Hit, islice(of_time, _IN_TIME))
    left = left_out(replace(found, more=0, without=()))
    lines = [left, *tools.listing.hits([*hits, *linked], OF_USER, answer, with_near=True)]
    return tools.listing.printed("\n".join(filter(None, lines)) or "nothing found")[0]


def _findings(call: Call) -> list[str]:
    """Return a line for each finding of a sub-agent: the turn, the quote, and what it says."""
    if not call.findings:
        return [one_line(call.text)]
    return [f'{each.turn} "{one_line(each.quote)}": {one_line(each.text)}' for each in call.findings]


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
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    if (tree := parse_code(code)) is None:
        return code
    edits = TextEdits(code)
    for value in (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)):
        is_tool = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in tools
        if is_tool or not isinstance(value, _QUIET):
            edits.wrap(value, "print(", ")")
    return edits.text()
