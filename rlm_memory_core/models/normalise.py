"""One place that reads what servers really return: the text of a chat completion, and its tokens.

Servers differ. A new difference in answers is handled here; one in what a server accepts
belongs in `openai_backend`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..store.escaping import well_formed
from .errors import one_line
from .pricing import Usage
from .types import BYTES_PER_TOKEN, Response

_WHOLE = ("stop", None)  # finish reasons of a text that was not cut off; some servers give none

_TOO_MANY = 1e12  # tokens; also told apart: infinite and not a number


class UnusableAnswer(ValueError):
    """An answer with nothing to use, which was paid for all the same.

    Args:
        message: One line that says what is wrong with it.
        usage: What the server counted for it.
    """

    def __init__(self, message: str, usage: Usage) -> None:
        super().__init__(message)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Said:
    """The text of a chat completion, never empty, and whether it was cut off."""

    text: str
    cut: bool


def read_completion(response: Response, prompt_tokens: int = 0) -> tuple[Said, Usage]:
    """Return the text of a chat completion, and its tokens.

    Args:
        response: What the server sent.
        prompt_tokens: An estimate, in case the server's own count is no number of tokens.

    Raises:
        UnusableAnswer: The model refused, or the answer was withheld, or it holds no text.
        ValueError: The answer is no chat completion.
    """
    body = response.body
    try:
        if body is None or not isinstance(choices := body["choices"], list):
            raise TypeError("no choices")
        if not choices:
            raise UnusableAnswer("its answer has no choices", usage_of(body, Usage(prompt_tokens)))
        message, finish = choices[0]["message"], choices[0].get("finish_reason")
        text, refusal = _text(message.get("content")), message.get("refusal")
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"it sent no chat completion but {one_line(response.text[:1_000])!r}") from error
    usage = usage_of(body, Usage(prompt_tokens, -(-len(text) // BYTES_PER_TOKEN)))
    if refusal:
        raise UnusableAnswer(f"it refused: {refusal}", usage)
    if finish == "content_filter":
        raise UnusableAnswer("the server's content filter withheld its answer", usage)
    if not text.strip():
        raise UnusableAnswer(f"its answer is empty (finish reason: {finish})", usage)
    return Said(well_formed(text), cut=finish not in _WHOLE), usage  # the sandbox takes no lone surrogate


def usage_of(body: dict[str, Any], estimate: Usage = Usage()) -> Usage:  # noqa: B008  # immutable
    """Return one call and the tokens that the server counted: 0 where it counts none.

    Args:
        body: The answer.
        estimate: Taken where the server's count is no number of tokens.

    >>> usage_of({"usage": {"prompt_tokens": 10, "completion_tokens": -5}}, Usage(9, 3))
    Usage(prompt_tokens=10, completion_tokens=3, calls=1)
    """
    counted = body.get("usage")
    if not isinstance(counted, dict):
        return Usage(calls=1)
    prompt = _tokens(counted.get("prompt_tokens"), estimate.prompt_tokens)
    return Usage(prompt, _tokens(counted.get("completion_tokens"), estimate.completion_tokens), 1)


def is_complete(body: dict[str, Any] | None) -> bool:
    """Say whether a chat completion, or list of embeddings, ended as it should: neither refused nor cut off."""
    if body is None:
        return False
    if body.get("object") == "list":
        return bool(body.get("data"))
    choices = body.get("choices")
    return isinstance(choices, list) and bool(choices) and all(map(_is_whole, choices))


def _is_whole(choice: Any) -> bool:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return False
    return choice.get("finish_reason") == "stop" and bool(message.get("content")) and not message.get("refusal")


def _text(content: Any) -> str:
    """Return the text of a message, which some servers send as a list of parts."""
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _tokens(counted: Any, estimate: int) -> int:
    if counted is None:
        return 0
    return int(counted) if isinstance(counted, (int, float)) and 0 <= counted < _TOO_MANY else estimate
