"""A transport over another one: what every layer between the openai client and the network has alike.

What a layer does with a request is its own; which layer stands over which is said in `client`.
"""

from __future__ import annotations

import httpx2


class Layer(httpx2.AsyncBaseTransport):
    """Stands over an inner transport, and closes it; a subclass says what becomes of a request.

    Args:
        inner: What really sends.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self.inner = inner

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self.inner.aclose()
