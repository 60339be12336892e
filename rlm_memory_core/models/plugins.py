"""Parts of the package that plug into layers below them: the offline reader is a backend, views show objects.

Each registers itself when it is imported. `rlm_memory_core` names them, and whoever needs one loads them. So no layer
imports a higher one, and what needs none of them, such as `rlm-memory --help`, does not wait for them.
"""

from importlib import import_module

MODULES: list[str] = []
"""The names of the modules."""


def load() -> None:
    """Import the modules. Later calls cost a microsecond."""
    for module in MODULES:
        import_module(module)
