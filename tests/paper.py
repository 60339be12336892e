"""The engine with the paper's reading, for tests whose scripted root model uses the paper's names."""

from rlm_memory_core import MemoryRLM, Reading, connect
from rlm_memory_core.query.paper_way import PaperWay


def PaperRLM(*models, reading=Reading("paper"), **options):  # noqa: N802, B008
    return MemoryRLM(*models, reading=reading, **options)


def opened(store, question, question_date=None, copied=True):
    """What the REPL holds of a history, copied into it or reached through functions."""
    engine = PaperRLM(connect("offline", recorded="off"), copy_limit=20_000_000 if copied else -1)
    return PaperWay(engine, store, question, question_date, None)
