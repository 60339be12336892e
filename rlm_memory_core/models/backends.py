"""Who answers a model's calls: a server with an address and a key, or a backend that is registered by name."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from .types import Backend, ModelError

NAMED: dict[str, Callable[[], Backend]] = {}
"""What makes the backend that `connect(name)` uses instead of a server, such as the offline reader."""


def check_address(base_url: str) -> None:
    """Check that a text is a server's address.

    Raises:
        ValueError: It lacks http, https or a host, or has a wrong port, a query or a fragment.

    >>> check_address("http://localhost:11434/v1")
    """
    with suppress(ValueError):
        place = urlsplit(base_url)
        is_whole = place.scheme in ("http", "https") and place.hostname and place.port != 0
        if is_whole and not (place.query or place.fragment):  # each call appends its path
            return
    shown = re.split(r"[?#]", base_url.rpartition("@")[2])[0]  # without a password, or a key in the query
    raise ValueError(f"base_url {shown!r} is no address such as http://localhost:11434/v1")


def secret_of(base_url: str) -> str:
    """Return the password in an address, or its user where there is none; it is sent in the place of a key.

    >>> secret_of("http://ada:pass%20word@localhost/v1"), secret_of("http://localhost/v1")
    ('pass word', '')
    """
    return unquote(urlsplit(base_url).netloc.rpartition("@")[0].rpartition(":")[2])


def find_key(given: str | None, model: str, is_needed: bool) -> str:
    """Return the API key to send; "none" where there is none and none is needed.

    Args:
        given: The caller's key; None for that of OPENAI_API_KEY.
        model: Named in the error.
        is_needed: Whether the server wants a key.

    Raises:
        ModelError: The key is missing, or cannot be sent.

    >>> find_key("sk-1", "gpt-4o-mini", is_needed=True)
    'sk-1'
    """
    key = given or os.environ.get("OPENAI_API_KEY")
    if not key and is_needed:
        raise ModelError(
            f'no API key for {model}: set OPENAI_API_KEY, or name a local server with base_url, or use model="offline"'
        )
    strange = next((sign for sign in key or "" if not (sign.isascii() and sign.isprintable())), None)
    if strange is not None:
        named = "the api_key" if given else "OPENAI_API_KEY"
        raise ModelError(f"{named} holds {strange!r}, which no key does: copy it once more from where it was made")
    return key or "none"  # the client wants a string
