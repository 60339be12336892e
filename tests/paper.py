"""The engine with the paper's reading, for tests whose scripted root model uses the paper's names."""

from rlm_memory_core import MemoryRLM, Reading


def PaperRLM(*models, reading=Reading("paper"), **options):  # noqa: N802, B008
    return MemoryRLM(*models, reading=reading, **options)
