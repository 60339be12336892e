"""Backends that are chosen by the name of a model, such as "offline", instead of a server's address."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .types import Backend


class NamedBackend(NamedTuple):
    """How to make a backend, and which version of it answers: another version's recorded calls are not replayed."""

    make: Callable[[], Backend]
    version: str


_BACKENDS: dict[str, NamedBackend] = {}


def register(name: str, make: Callable[[], Backend], version: str = "") -> None:
    """Let `connect(name)` use a backend.

    Args:
        name: The model's name.
        make: Makes the backend at the first call.
        version: Part of the keys of recorded calls.
    """
    _BACKENDS[name] = NamedBackend(make, version)


def find(name: str) -> NamedBackend | None:
    """Return the backend of a name, or None for a model behind a server."""
    return _BACKENDS.get(name)
