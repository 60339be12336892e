"""Questions that several tests of the experiments ask."""

from rlm_memory_core.experiments.types import ChatSession, ChatTurn, Sample

TALKS = Sample(
    "q",
    "kind",
    "What is my parrot called?",
    "Kiwi",
    [ChatSession(f"2023/01/{day:02}", [ChatTurn("user", "A long day at work. " * 300)]) for day in range(1, 20)],
)
"""19 dated sessions of 6,000 characters, none of which answers it."""


def sample(number):
    """A question with one session, which answers it in a word."""
    return Sample(f"q{number}", "kind", "What?", "blue", [ChatSession(None, [ChatTurn("user", "It is blue.")])])


def samples(count):
    return [sample(number) for number in range(count)]
