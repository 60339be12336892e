"""Reads and writes completions, chunks and errors in the format of OpenAI's API, and sums the usage."""

import json
from typing import Any

from ..models.normalise import NO_CHUNK, index_of, is_error, read_choice, usage_of
from ..models.pricing import Usage
from ..models.streaming import Chunks
from ..models.types import Request, StreamBroken, count_tokens
from ..models.wording import server_message

_CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


class Refusal(Exception):
    """The request is refused with an HTTP status. `seconds` says when to try again; 0 means never.

    >>> Refusal(404, "No such path.").body["error"]["type"]
    'invalid_request_error'
    """

    def __init__(self, status: int, message: str, seconds: float = 0) -> None:
        super().__init__(message)
        self.status, self.seconds = status, seconds

    @property
    def body(self) -> dict[str, Any]:
        """The body of the response."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        kind = "rate_limit_error" if self.status == 429 else kind
        return {"error": {"message": str(self), "type": kind, "param": None, "code": _CODES.get(self.status)}}


class Reply(Chunks):
    """Assembles a reply from what the model's server sends: a completion, or the chunks of a stream.

    Besides the text it keeps the calls of tools.

    >>> reply = Reply()
    >>> for text, finish in (("Hel", None), ("lo", "stop")):
    ...     choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    ...     chunk = reply.hear(json.dumps({"choices": [choice]}))
    >>> reply.message["content"], reply.has_ended
    ('Hello', True)
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[str, dict[str, str]] = {}  # by index

    @property
    def message(self) -> dict[str, Any]:
        """The message of the choice that is read.

        Raises:
            StreamBroken: The reply is not complete.
        """
        if not self.has_ended:
            raise StreamBroken("its reply ended early", retryable=False)
        calls = [{"function": function} for function in self._calls.values()]
        return {"role": "assistant", "content": self.content.text, "tool_calls": calls}

    def hear(self, text: str) -> dict[str, Any]:
        """Add a completion or a chunk, and return it without its usage.

        Raises:
            StreamBroken: The text is an error, or neither of the two.
        """
        try:
            sent: dict[str, Any] = json.loads(text)
            if not is_error(sent):
                sent["choices"] = sent.get("choices") or []  # null in some last chunks
                self.add(sent)
                choice, _, _ = read_choice(sent, self._index)
                said = choice.get("message") or choice.get("delta") or {}
                for at, piece in enumerate(said.get("tool_calls") or []):
                    function = self._calls.setdefault(index_of(piece, at), {})
                    for name, part in (piece.get("function") or {}).items():
                        function[name] = function.get(name, "") + str(part or "")
                return {name: value for name, value in sent.items() if name != "usage"}
        except NO_CHUNK:
            pass
        raise StreamBroken(f"it sent {server_message(text)[:100]!r}", retryable=False)

    def total(self, request: Request, more: Usage) -> dict[str, Any]:
        """Return the tokens of the reply, with those of the memory's own calls added.

        Args:
            request: The request to the model, to estimate its tokens if the server does not count them.
            more: The usage of the search before it.

        >>> Reply().total(Request("", {}), Usage(10, 1))
        {'prompt_tokens': 11, 'completion_tokens': 1, 'total_tokens': 12}
        """
        sums = usage_of({"usage": self.usage}, Usage(request.tokens, count_tokens(self.content.text))) + more
        details = self.usage if isinstance(self.usage, dict) else {}
        names = ("prompt_tokens", "completion_tokens", "total_tokens")
        return details | {name: getattr(sums, name) for name in names}


def as_chunk(sent: dict[str, Any]) -> dict[str, Any]:
    """Return a chunk as it is, and the completion of a server that does not stream as a chunk.

    >>> as_chunk({"choices": [{"message": {"content": "Hi"}}]})
    {'choices': [{'delta': {'content': 'Hi', 'tool_calls': None}}], 'object': 'chat.completion.chunk'}
    """
    for choice in sent["choices"]:
        if "message" in choice:
            said = choice.pop("message")
            calls = [{"index": at, **call} for at, call in enumerate(said.get("tool_calls") or [])]
            choice["delta"] = {**said, "tool_calls": calls or None}
    return sent | {"object": "chat.completion.chunk"}
