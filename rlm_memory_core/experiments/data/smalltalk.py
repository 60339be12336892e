"""Small talk around the facts of the generated benchmarks, from the sentences in `sentences.toml`.

Short benchmarks draw whole sentences (`chatter`). Long histories build tens of thousands of sentences out of parts
(`talk`). They are about things that questions ask for as well (a dentist, a sister, a boat), so that a search by words
finds many sessions that mention the right thing but hold no answer.
"""

import random
import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files

from ..types import ChatSession, ChatTurn

SENTENCES = tomllib.loads(files(__package__).joinpath("sentences.toml").read_text(encoding="utf-8"))
"""All sentences of the generated benchmarks, as `sentences.toml` groups them."""

FILLER: list[str] = SENTENCES["small_talk"]["sentences"]
_EVERYDAY = SENTENCES["everyday"]
_REPLY_SENTENCES = (4, 10)  # the assistant talks at greater length


def chatter(rng: random.Random, count: int) -> list[str]:
    """Draws `count` sentences with replacement."""
    return rng.choices(FILLER, k=count)


def session(said: Iterable[str]) -> ChatSession:
    """An undated session: the user says each sentence, and the assistant acknowledges it.

    >>> [turn.role for turn in session(["Hello."]).turns]
    ['user', 'assistant']
    """
    acknowledgement = ChatTurn("assistant", SENTENCES["small_talk"]["acknowledgement"])
    return ChatSession(None, [turn for text in said for turn in (ChatTurn("user", text), acknowledgement)])


def talk(rng: random.Random, exchanges: int, topic: str | None = None) -> list[ChatTurn]:
    """Makes exchanges about one topic: a user asks about a thing, and an assistant gives advice at length.

    Args:
        rng: The source of randomness.
        exchanges: Pairs of a user's and an assistant's turn.
        topic: One of the topics in `sentences.toml`; None draws one.

    >>> [turn.role for turn in talk(random.Random(0), exchanges=2)]
    ['user', 'assistant', 'user', 'assistant']
    """
    topics = _EVERYDAY["topics"]
    things = topics[topic or rng.choice(tuple(topics))]
    return [turn for _ in range(exchanges) for turn in (_ask(rng, things), _reply(rng, things))]


def _ask(rng: random.Random, things: list[str]) -> ChatTurn:
    opening = rng.choice(_EVERYDAY["openings"]).format(rng.choice(things))
    return ChatTurn("user", f"{opening}, {rng.choice(_EVERYDAY['worries'])}")


def _reply(rng: random.Random, things: list[str]) -> ChatTurn:
    sentences = []
    for _ in range(rng.randint(*_REPLY_SENTENCES)):
        advice = rng.choice(_EVERYDAY["advice"])
        thing = re.sub(r"^(?:my|our) ", "your ", rng.choice(things))  # as the assistant speaks of it
        sentences.append(f"{advice.format(thing)}, {rng.choice(_EVERYDAY['reasons'])}")
    return ChatTurn("assistant", " ".join(sentences))
