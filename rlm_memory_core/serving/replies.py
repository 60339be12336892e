"""Reads and writes completions, chunks and errors in the format of OpenAI's API, and sums the usage."""

import json
from collections.abc import Mapping
from typing import Any

from ..models.normalise import Content, usage_of
from ..models.pricing import Usage
from ..models.types import Request, StreamBroken, count_tokens
from ..models.wording import server_message

_CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


def error(status: int, message: str) -> dict[str, Any]:
    """Return the body of an error response.

    >>> error(404, "No such path.")["error"]["type"]
    'invalid_request_error'
    """
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": _CODES.get(status)}}


def parsed(text: str) -> dict[str, Any]:
    """Parse a completion or a chunk from a model's server.

    Raises:
        StreamBroken: The text is an error, or neither of the two.

    >>> parsed('{"error": null, "choices": null}')
    {'error': None, 'choices': []}
    """
    try:
        sent = json.loads(text)
        choices = sent.get("choices") or []  # null in some last chunks
        if not sent.get("error") and all(isinstance(each, dict) for each in choices):
            return {**sent, "choices": choices}
    except (ValueError, RecursionError, TypeError, AttributeError):
        pass
    raise StreamBroken(f"it sent {server_message(text)[:100]!r}", retryable=False)


def message_of(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message of a completion's first choice.

    Raises:
        StreamBroken: There is none.
    """
    first = next(iter(whole["choices"]), None)
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        raise StreamBroken("it sent no choices")
    return dict(first["message"])


def counted(usage: Any, request: Request, message: Mapping[str, Any], more: Usage) -> dict[str, Any]:
    """Return the `usage` of a reply, with the usage of the memory's own calls added.

    Args:
        usage: The count of the model's server; None to estimate it.
        request: The request to the model.
        message: The model's reply.
        more: The usage of the search before it.

    >>> counted({"prompt_tokens": 5, "completion_tokens": 2}, Request("", {}), {}, Usage(10, 1))
    {'prompt_tokens': 15, 'completion_tokens': 3, 'total_tokens': 18}
    """
    estimate = Usage(request.tokens, count_tokens(Content.of(message).text))
    sums = usage_of({"usage": usage}, estimate) + more
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {**(usage if isinstance(usage, dict) else {}), **{name: getattr(sums, name) for name in names}}


class Stream:
    """Assembles a streamed reply from its chunks.

    `usage` is the server's count. `ended` is True once the reply is complete.

    >>> stream = Stream()
    >>> for delta, finish in (({"content": "Hel"}, None), ({"content": "lo"}, "stop")):
    ...     chunk = stream.read({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    >>> stream.message["content"], stream.ended
    ('Hello', True)
    """

    def __init__(self) -> None:
        self.usage: Any = None
        self.ended = False
        self._texts: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}

    @property
    def message(self) -> dict[str, Any]:
        """The message of the first choice.

        Raises:
            StreamBroken: The reply is not complete.
        """
        if not self.ended:
            raise StreamBroken("the stream ended early", retryable=False)
        calls = [{"function": function} for function in self._calls.values()]
        return {"role": "assistant", "content": "".join(self._texts), "tool_calls": calls}

    def read(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """Read a chunk, or the completion of a server that does not stream; return the chunk to forward."""
        self.usage = chunk.pop("usage", None) or self.usage
        chunk["object"] = "chat.completion.chunk"
        for choice in chunk["choices"]:
            if "message" in choice:
                choice["delta"] = choice.pop("message")
                calls = enumerate(choice["delta"].get("tool_calls") or [])
                choice["delta"]["tool_calls"] = [{"index": at, **call} for at, call in calls] or None
            self.ended = self.ended or choice.get("finish_reason") is not None
            if choice.get("index", 0) == 0:
                self._hear(choice.get("delta") or {})
        return chunk

    def _hear(self, delta: Mapping[str, Any]) -> None:
        self._texts.append(Content.of(delta).text)
        for piece in delta.get("tool_calls") or []:
            function = self._calls.setdefault(piece.get("index", 0), {})
            for name, text in (piece.get("function") or {}).items():
                function[name] = function.get(name, "") + str(text or "")
