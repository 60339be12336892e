"""Searches with the question itself, for the first message to the root model."""

from dataclasses import replace

from ..search.find import Filters, Found, Hit, linked_turns
from ..search.ranking import arank_sessions, periods
from ..search.threads import in_search_thread
from .listing import NARROW, left_out
from .search_tools import LINKED, OF_ASSISTANT, SearchTools

_TURNS, _CLOSE = 8, 0.6  # turns shown; the lowest score of one, as a share of the best score
_PREFERRED = 20  # turns of so many top-ranked sessions are ranked higher
_ANSWERS = 0.35  # an assistant's turn with so much of the question's weight probably answers it
_FEW = 3  # if no more turns than this are shown, show turns from the time that the question names too
_IN_TIME, _SPAN = 4, 31  # sessions shown from that time; maximum days that it may cover


async def best(tools: SearchTools) -> Found:
    """Return the turns that match the question best. The ranking of their sessions counts too."""
    asked = tools.question, tools.question_date
    ranked = await arank_sessions(tools.store, *asked, tools.embedder, _PREFERRED, tools.budget)
    sessions = [place + 1 for place in ranked if place < len(tools.store.sessions)]
    return await tools.found((tools.question,), Filters(), _TURNS, 2, sessions, least=0.0)


async def opening(tools: SearchTools) -> str:
    """List the turns that match the question best, and some from the time that it names. They count as shown."""
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
    spans = periods(tools.question[:1_000], tools.question_date) if len(hits) <= _FEW else []
    days = {(span.start.toordinal(), span.end.toordinal()) for span in spans if span.width <= _SPAN}
    of_time = [await in_search_thread(tools.topics)(_IN_TIME, *each) for each in sorted(days)]
    shown = {hit.turn.session for hit in hits}
    in_time = [Hit(turn) for turns in of_time for turn in turns if turn.session not in shown][:_IN_TIME]
    linked = await in_search_thread(linked_turns)(tools.store, hits, Filters(), LINKED)
    left = left_out(replace(found, more=0, without=()))
    lines = [left, *tools.listing.hits([*hits, *in_time, *linked], NARROW, answer)]
    return tools.listing.printed("\n".join(filter(None, lines)) or "nothing found")[0]
