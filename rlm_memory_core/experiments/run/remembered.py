"""Answers a request that came before with the answer that it got, within one process.

The methods of a notebook often send a sub-agent the same session with the same question. The offline reader would give
the same answer again, for the same time; calls and tokens are counted as if it did. Nothing is kept on disk, and no
model is wrapped in it: what a model answers is recorded (see `rlm_memory_core.models.recorded_calls`).
"""

import hashlib
from collections.abc import AsyncGenerator

from rlm_memory_core.models.types import Backend, Request, Response


class Remembered:
    """A backend that asks another one each thing once.

    Args:
        inner: A backend that always answers the same to the same request, such as the offline reader.
    """

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self._answers: dict[bytes, str] = {}

    async def send(self, request: Request) -> Response:
        """Returns the first answer to this request."""
        key = hashlib.sha256(request.content).digest()
        if key not in self._answers:
            self._answers[key] = (await self._inner.send(request)).text
        return Response(self._answers[key])

    def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Streams the inner backend's answer, which is not kept."""
        return self._inner.stream(request)
