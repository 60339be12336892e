"""The offline reader behind the chat-completions protocol: an httpx transport that answers without any LLM.

A deterministic extractive control, always labelled as such, and not a
stand-in for a model. This file speaks the protocol (completions, streams,
models, errors); ``roles`` decides what to say.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from .roles import reply

MODEL = "offline"
_CHUNK = 80


def _fingerprint() -> str:
    folder = Path(__file__).parent
    sources = [*sorted(folder.glob("*.py")), folder.parent / "store" / "dates.py"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:12]


FINGERPRINT: str = _fingerprint()
"""Changes with the source of the reader, so that answers recorded from an older one are stale."""


def completion(body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a chat-completions request with a full response object.

    Args:
        body: The request: ``messages``; whatever ``model`` it names, ``offline`` answers.

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
        "model": MODEL,  # whatever was asked for: the reader never answers in a model's name
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
    """Answer a chat-completions request as the chunks of a stream, the usage last where it is asked for.

    Args:
        body: The request, as for ``completion``; ``stream_options.include_usage`` adds the usage chunk.

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
    """An error body in the shape of OpenAI's API.

    >>> error("No such path.", "not_found")["error"]["type"]
    'invalid_request_error'
    """
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


class OfflineTransport(httpx2.AsyncBaseTransport):
    """Answers every request here and now; nothing leaves the process.

    ``fingerprint`` tells recorded answers which reader they came from.
    """

    fingerprint = FINGERPRINT

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Serve ``POST …/chat/completions`` and ``GET …/models``; anything else is a 404, bad JSON a 400."""
        path = request.url.path.rstrip("/")
        if request.method == "GET" and path.endswith("/models"):
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "rlm-memory"}
            return _json(request, 200, {"object": "list", "data": [model]})
        if request.method != "POST" or not path.endswith("/chat/completions"):
            return _json(request, 404, error(f"No such endpoint: {request.method} {path}", "not_found"))
        try:
            body = json.loads(await request.aread())
        except ValueError:
            return _json(request, 400, error("The request body is not valid JSON."))
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return _json(request, 400, error("The request needs `messages`, a list."))
        if not body.get("stream"):
            return _json(request, 200, completion(body))
        events = [*(json.dumps(chunk) for chunk in stream_chunks(body)), "[DONE]"]
        content = "".join(f"data: {event}\n\n" for event in events).encode()
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=content, request=request)


def _json(request: httpx2.Request, status: int, body: dict[str, Any]) -> httpx2.Response:
    return httpx2.Response(status, json=body, request=request)


def _canonical(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, ensure_ascii=False, default=str).encode()


def _written(message: Any) -> str:
    content = message.get("content") if isinstance(message, Mapping) else None
    return content if isinstance(content, str) else json.dumps(content, default=str) if content else ""
