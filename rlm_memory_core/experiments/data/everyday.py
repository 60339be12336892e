"""Everyday talk with an assistant: as many different sentences as a long history needs, in our own words.

A user asks about a thing, and an assistant gives advice at length. Sentences are put together out of parts, some tens
of thousands of them, about things that questions ask for as well (a dentist, a sister, a boat), so that a search by
words meets many sessions that speak of the right thing and say nothing. No sentence holds a figure, a name, a date or
a fact that a question could ask for. `smalltalk` has the few sentences of the short benchmarks.
"""

from __future__ import annotations

import random
import re

from ..types import ChatTurn

TOPICS = {
    "health": ("the dentist", "my allergy", "an appointment", "my back", "a good night's sleep", "the gym"),
    "family": ("my sister", "my brother", "my parents", "my cousin", "a family dinner", "the grandparents"),
    "work": ("the weekly meeting", "our project", "my profession", "the new office", "a codename", "my manager"),
    "food": ("my favourite dish", "a restaurant", "the kitchen", "a recipe", "fresh bread", "the farmers' market"),
    "home": ("the rent", "the balcony", "a bookshelf", "the washing machine", "the spare room", "my neighbours"),
    "town": ("my home town", "the university", "the bus", "the library", "a street market", "the old bridge"),
    "water": ("our boat", "the harbour", "a swim", "the river", "a fishing trip", "the tide"),
    "learning": ("an evening course", "a language", "my notes", "a lecture", "a textbook", "the exam"),
    "travel": ("a flight", "the hotel", "a suitcase", "the night train", "my passport", "a weekend away"),
    "animals": ("my dog", "the cat", "the vet", "a bird feeder", "an aquarium", "the bees"),
    "garden": ("the tomatoes", "a rose", "the compost", "the lawn", "an apple tree", "the seedlings"),
    "music": ("the choir", "my guitar", "a concert", "an old record", "the piano", "a playlist"),
    "money": ("my budget", "a savings plan", "the tax form", "the bank", "an insurance", "a bargain"),
    "things": ("a teapot", "a vinyl record", "a board game", "a fountain pen", "a house plant", "a jigsaw puzzle"),
    "sport": ("a marathon", "the football club", "my bicycle", "a yoga class", "the swimming pool", "a hike"),
    "making": ("a clay bowl", "a wool jumper", "the sewing machine", "a wooden chair", "a painting", "a lamp"),
}

_OPENINGS = (
    "I have been thinking about {} lately",
    "Could you help me with {}",
    "There is something about {} that bothers me",
    "I need a second opinion about {}",
    "We were talking about {} at breakfast",
    "I would like to know more about {}",
    "I keep putting off {}",
    "Somebody asked me about {} again",
    "I never quite know what to do about {}",
    "I had a long day, and then there was {}",
    "It is always the same story with {}",
    "My plans for {} are getting nowhere",
)
_WORRIES = (
    "and I do not know where to begin.",
    "because everybody tells me something different.",
    "although I have little time at the moment.",
    "and I would rather not spend too much on it.",
    "because I read an article that made me wonder.",
    "and I am not sure whether it is worth the trouble.",
    "since the weather keeps me indoors anyway.",
    "but I am afraid of making a mess of it.",
    "and my friends are of no help at all.",
    "because it did not go well the last time.",
    "and I want to do it properly for once.",
    "but so far I have only made a list.",
)
_ADVICE = (
    "With {}, it often helps to start small",
    "Many people find that {} takes more patience than skill",
    "It is worth asking somebody who has dealt with {} before",
    "You could set aside a quiet hour for {}",
    "A short list of what you expect from {} will make the choice easier",
    "There is no single right way when it comes to {}",
    "Try to look at {} from the other end",
    "Most of the trouble with {} comes from hurrying",
    "It is perfectly normal to have doubts about {}",
    "Good preparation is half of what {} asks of you",
    "You might compare a few opinions on {} before you decide",
    "Keeping a simple record of {} shows you what changes",
    "If {} becomes a burden, leave it for a while",
    "Think about what you liked about {} in the beginning",
)
_REASONS = (
    "because small steps are easier to keep up.",
    "so that you can change your mind later.",
    "and you will soon see what works for you.",
    "which costs nothing and tells you a lot.",
    "as long as you do not expect too much at once.",
    "and it is usually more fun in company.",
    "since habits take their time to form.",
    "because the first attempt is rarely the best one.",
    "and a fresh look in the morning helps as well.",
    "which is what most guides recommend.",
    "so that nothing important gets forgotten.",
    "and you can always come back to it.",
    "unless you have already made up your mind.",
    "because nobody knows your situation better than you do.",
)
_REPLY_SENTENCES = (4, 10)  # of the assistant, who talks at greater length


def talk(rng: random.Random, exchanges: int, topic: str | None = None) -> list[ChatTurn]:
    """Some exchanges about one topic.

    Args:
        rng: What is drawn from.
        exchanges: Pairs of a user's and an assistant's turn.
        topic: One of `TOPICS`; None draws one.

    >>> [turn.role for turn in talk(random.Random(0), exchanges=2)]
    ['user', 'assistant', 'user', 'assistant']
    """
    things = TOPICS[topic or rng.choice(tuple(TOPICS))]
    return [turn for _ in range(exchanges) for turn in (ChatTurn("user", _ask(rng, things)), _reply(rng, things))]


def _ask(rng: random.Random, things: tuple[str, ...]) -> str:
    return f"{rng.choice(_OPENINGS).format(rng.choice(things))}, {rng.choice(_WORRIES)}"


def _reply(rng: random.Random, things: tuple[str, ...]) -> ChatTurn:
    count = rng.randint(*_REPLY_SENTENCES)
    said = (f"{rng.choice(_ADVICE).format(_yours(rng.choice(things)))}, {rng.choice(_REASONS)}" for _ in range(count))
    return ChatTurn("assistant", " ".join(said))


def _yours(thing: str) -> str:
    """The user's thing, as the assistant speaks of it."""
    return re.sub(r"^(?:my|our) ", "your ", thing)
