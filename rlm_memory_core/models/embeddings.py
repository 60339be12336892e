"""Embeddings: how texts are divided into requests, and how a server's answer is read. `LLM.embed` sends them."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..store.escaping import well_formed
from .normalise import usage_of
from .pricing import Usage
from .types import Response

_BATCH_TEXTS = 256  # OpenAI takes 2,048 texts a request, local servers fewer
_BATCH_CHARACTERS = 200_000  # OpenAI takes 300,000 tokens a request, and a character is at most about one


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of texts.

    Args:
        vectors: One vector for each text, in the order of the texts.
        usage: Tokens as the server counted them, and the number of calls.
        cost_usd: Dollars that the calls cost, also when they were replayed; None where the price is not known.
        replayed_seconds: How much longer it would have taken if nothing had been replayed.
    """

    vectors: list[list[float]]
    usage: Usage
    cost_usd: float | None
    replayed_seconds: float = 0.0


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Divide texts, in order, into parts that fit one request. An empty text becomes a space: servers refuse it.

    >>> list(batches(["one", "", "two"]))
    [['one', ' ', 'two']]
    """
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and (len(batch) == _BATCH_TEXTS or characters + len(text) > _BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(well_formed(text) or " ")
        characters += len(text)
    if batch:
        yield batch


def read_embeddings(response: Response, prompt_tokens: int = 0, *, expected: int) -> tuple[list[list[float]], Usage]:
    """Return the vectors of a list of embeddings, in the order of their texts, and its tokens.

    Args:
        response: What the server sent.
        prompt_tokens: An estimate, in case the server's own count is no number of tokens.
        expected: Number of texts that were sent.

    Raises:
        ValueError: The answer is no such list, or holds not one vector for each text, all of one length.
    """
    try:
        body = response.body or {}
        found = {int(row["index"]): _vector(row["embedding"]) for row in body["data"]}
        usage = usage_of(body, Usage(prompt_tokens))
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise ValueError(f"it sent no embeddings but {response.text[:80]!r}") from error
    vectors = [found[place] for place in sorted(found)]
    if sorted(found) != list(range(expected)) or not all(vectors) or len(set(map(len, vectors))) > 1:
        raise ValueError(f"it sent no {expected} vectors of one length for {expected} texts")
    return vectors, usage


def _vector(sent: str | list[float]) -> list[float]:
    """Read little-endian floats in base64, or a list from servers that know no base64."""
    if isinstance(sent, str):
        raw = base64.b64decode(sent, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return [float(number) for number in sent]
