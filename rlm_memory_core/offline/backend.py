"""The offline reader as a backend of the models' pipeline: it answers without any LLM.

It is a deterministic extractive control, is always labelled as one, and does not replace a model. This file builds
completions and chunks, and `roles` decides what to say.
"""

import hashlib
import json
import math
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

from ..models.types import CHAT_PATH, Refused, Request, Response
from .roles import reply

MODEL = "offline"
_CHUNK = 80


def _fingerprint() -> str:
    folder = Path(__file__).parent
    sources = [*sorted(folder.glob("*.py")), folder.parent / "store" / "dates.py"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:12]


FINGERPRINT: str = _fingerprint()
"""Changes with the source code of the reader, so that answers recorded from an older version become stale."""


def completion(body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a chat-completions request with a full response object.

    Args:
        body: The request, with ``messages``. Its ``model`` is ignored: ``offline`` always answers.

    >>> completion({"messages": []})["choices"][0]["message"]["content"]
    "I don't know"
    """
    messages = body.get("messages") or []
    text = reply(messages)
    asked = sum(len(_written(message)) for message in messages)
    prompt_tokens, completion_tokens = math.ceil(asked / 4), math.ceil(len(text) / 4)
    return {
        "id": "chatcmpl-" + hashlib.sha256(_canonical(body)).hexdigest()[:24],
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,  # even if another was requested: the reader never pretends to be a model
        "system_fingerprint": FINGERPRINT,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def stream_chunks(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Answer a chat-completions request with the chunks of a stream. The last one has the usage, if requested.

    Args:
        body: The request, as for ``completion``. ``stream_options.include_usage`` adds the usage chunk.

    >>> [chunk["choices"][0]["finish_reason"] for chunk in stream_chunks({"messages": []})]
    [None, None, 'stop']
    """
    whole = completion(body)
    text = whole["choices"][0]["message"]["content"]
    pieces = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces), {}]
    base = {key: whole[key] for key in ("id", "created", "model", "system_fingerprint")}
    base["object"] = "chat.completion.chunk"
    chunks = [
        base | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None if delta else "stop"}]}
        for delta in deltas
    ]
    options = body.get("stream_options")
    if isinstance(options, Mapping) and options.get("include_usage"):
        chunks.append(base | {"choices": [], "usage": whole["usage"]})
    return chunks


def error(message: str, code: str | None = None) -> dict[str, Any]:
    """Return an error body in the format of OpenAI's API.

    >>> error("No such path.", "not_found")["error"]["type"]
    'invalid_request_error'
    """
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


class OfflineReader:
    """A backend of the models' pipeline that answers within this process. Nothing is sent anywhere."""

    async def send(self, request: Request) -> Response:
        """Answer a chat-completions request. Any other path gets a 404."""
        return Response(json.dumps(completion(_chat_body(request))))

    async def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Answer in chunks."""
        for chunk in stream_chunks(_chat_body(request)):
            yield json.dumps(chunk)


def _chat_body(request: Request) -> Mapping[str, Any]:
    if request.path != CHAT_PATH:
        raise Refused(404, f"No such endpoint: {request.path}")
    return request.body


def _canonical(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, ensure_ascii=False, default=str).encode()


def _written(message: Any) -> str:
    content = message.get("content") if isinstance(message, Mapping) else None
    return content if isinstance(content, str) else json.dumps(content, default=str) if content else ""
