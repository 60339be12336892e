"""Parts of the package that plug into layers below them: the offline reader is a backend, views show objects.

Each registers itself when it is imported. `rlm_memory_core` announces them, and whoever needs one loads them. So no
layer imports a higher one, and what needs none of them, such as `rlm-memory --help`, does not wait for them.
"""

from functools import cache
from importlib import import_module

_ANNOUNCED: list[str] = []


def announce(*modules: str) -> None:
    """Name modules that register themselves when they are imported."""
    _ANNOUNCED.extend(modules)
    load.cache_clear()


@cache
def load() -> None:
    """Import what was announced. Later calls cost nothing."""
    for module in _ANNOUNCED:
        import_module(module)
