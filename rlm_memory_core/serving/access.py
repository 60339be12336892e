"""Checks who may connect to the endpoint and the MCP server: by address, Host, Origin and key.

A web page that the user visits can send requests to this machine (DNS rebinding). So `Host` must name this machine,
and so must `Origin`, if the request has one.
"""

import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from ..models.pricing import is_loopback

TOKEN = "RLM_MEMORY_TOKEN"
"""The environment variable that holds the key."""
CONNECTIONS = 256  # open at once on one server; each has one request at a time
SILENCE = 30.0  # seconds after which a connection without a request is closed


class Access:
    """The checks of one server.

    Args:
        host: The address of this machine to listen on.
        key: The bearer token that clients must send; None or "" if they need none.
        allowed: Further names and addresses that clients may use for this machine.

    Raises:
        ValueError: Other machines can reach the address, and there is no key or no name for this machine.

    >>> Access("127.0.0.1").refusal({"host": "localhost:8000"})
    >>> Access("127.0.0.1").refusal({"host": "evil.example"})[0]
    421
    """

    def __init__(self, host: str, key: str | None = None, allowed: Sequence[str] = ()) -> None:
        key = (key or "").strip()
        if not is_loopback(host) and not key:
            raise ValueError(f"{host} can be reached by others: a token is needed; set ${TOKEN}")
        if host in ("", "0.0.0.0", "::") and not allowed:
            raise ValueError(f"{host} is every address: name those that clients use with --allow-host")
        self.host, self._key = host, key
        self._names = {name.strip("[]").lower() for name in (host, *allowed, "127.0.0.1", "localhost", "::1")}

    def refusal(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Return the status and reason if a request is refused, or None.

        Args:
            headers: The headers of the request, with keys in lower case or of any case.
        """
        if _named(f"//{headers.get('host', '')}") not in self._names:
            return 421, "this server has another name; its owner can allow one with --allow-host"
        if "origin" in headers and _named(headers["origin"]) not in self._names:
            return 403, "requests from web pages of other sites are refused"
        kind, _, given = headers.get("authorization", "").partition(" ")
        known = secrets.compare_digest(given.strip().encode("utf-8", "replace"), self._key.encode())
        if self._key and not (known and kind.lower() == "bearer"):
            return 401, "the key is missing or wrong; send it as: Authorization: Bearer KEY"
        return None

    def listen(self, port: int) -> tuple[socket.socket, str]:
        """Open a port, 0 for a free one; return the socket and the address for clients.

        Raises:
            OSError, OverflowError: The address or the port cannot be used.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        opened = socket.create_server((self.host, port), family=family, backlog=CONNECTIONS)
        name = f"[{self.host}]" if ":" in self.host else self.host
        return opened, f"http://{name}:{opened.getsockname()[1]}"


def _named(address: str) -> str:
    """Return the host of a URL, or ""."""
    with suppress(ValueError):
        return urlsplit(address).hostname or ""
    return ""
