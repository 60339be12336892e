"""The engine with the paper's reading, for tests whose scripted root model uses the paper's names."""

from rlm_memory_core import MemoryRLM, Reading, Session, connect
from rlm_memory_core.query.paper_way import PaperWay
from rlm_memory_core.search.word_index import PIECES, split, take_in_new_turns


def PaperRLM(*models, reading=Reading("paper"), **options):  # noqa: N802, B008
    return MemoryRLM(*models, reading=reading, **options)


def opened(store, question, question_date=None):
    """What the REPL holds of a history."""
    return PaperWay(PaperRLM(connect("offline", recorded="off")), store, question, question_date, None)


def indexed(store):
    """The pieces of a history as its index has them. Their numbers are the positions of a ranking."""
    take_in_new_turns(store)
    sql = f"""SELECT session, first_turn, last_turn, part, date FROM {PIECES} JOIN sessions ON sessions.number = session
        ORDER BY {PIECES}.number"""
    return [
        split(Session(session, date, tuple(store.turns[first - 1 : last])))[part]
        for session, first, last, part, date in store.query(sql)
    ]
