"""Reads and writes the JSON of OpenAI's API: requests, completions, chunks and errors. It also sums the usage."""

import json
import math
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from ..models.normalise import Content, index_of, read_choice, usage_of
from ..models.pricing import Usage
from ..models.streaming import Chunks
from ..models.types import Request, StreamBroken, count_tokens


class Refusal(web.HTTPException):
    """The request is refused with an HTTP status. `seconds` says when to try again; 0 means never.

    >>> Refusal(404, "No such path.").text
    '{"error": {"message": "No such path.", "type": "invalid_request_error", "param": null, "code": null}}'
    """

    def __init__(self, status: int, message: str, seconds: float = 0) -> None:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        error = {"message": message, "type": kind, "param": None, "code": None}
        headers = {"Retry-After": f"{math.ceil(seconds)}"} if seconds else None
        self.status_code = status
        super().__init__(headers=headers, text=json.dumps({"error": error}), content_type="application/json")


class _Call(BaseModel):
    function: dict[str, Any] | None = None


class _Message(BaseModel):
    role: str = Field(min_length=1)
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[_Call] | None = None


class _Body(BaseModel):
    """What the endpoint itself reads of a request; the model gets every other field too."""

    messages: list[_Message] = Field(min_length=1, max_length=10_000)
    user: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream_options: dict[str, Any] | None = None


def read_body(content: bytes) -> dict[str, Any]:
    """Read and check the body of a request.

    Raises:
        Refusal: It is not valid JSON, which may not hold lone surrogates either, or a field has the wrong type.
    """
    try:
        _Body.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the request"
        raise Refusal(400, f"{where}: {first['msg']}") from error
    return dict(json.loads(content))


class Reply(Chunks):
    """Assembles a reply from what the model's server sends: a completion, or the chunks of a stream.

    Besides the text it keeps the calls of tools. `sent` is what was read last, without its usage.

    >>> reply = Reply()
    >>> for text, finish in (("Hel", None), ("lo", "stop")):
    ...     choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    ...     _ = reply.read(json.dumps({"choices": [choice]}))
    >>> reply.message["content"], reply.has_ended
    ('Hello', True)
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, Any] = {"choices": []}
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

    def add(self, chunk: Mapping[str, Any]) -> Content:
        """Add a completion or a chunk, as `Chunks.add` does."""
        content = super().add(chunk)
        choice, _, _ = read_choice(chunk, self._index)
        said = choice.get("message") or choice.get("delta") or {}
        for at, piece in enumerate(said.get("tool_calls") or []):
            function = self._calls.setdefault(index_of(piece, at), {})
            for name, part in (piece.get("function") or {}).items():
                function[name] = function.get(name, "") + str(part or "")
        self.sent = {name: value for name, value in chunk.items() if name != "usage"}
        self.sent["choices"] = chunk["choices"] or []  # null in some last chunks
        return content

    def total(self, request: Request, more: Usage) -> dict[str, Any]:
        """Return the tokens of the reply, with those of the memory's own calls added.

        Args:
            request: The request to the model, to estimate its tokens if the server does not count them.
            more: The usage of the search before it.

        >>> Reply().total(Request("", {}), Usage(10, 1))
        {'prompt_tokens': 11, 'completion_tokens': 1, 'total_tokens': 12}
        """
        sums = usage_of({"usage": self.usage}, Usage(request.tokens, count_tokens(self.content.text))) + more
        return {name: getattr(sums, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}


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
