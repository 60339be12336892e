"""The prompts of the judge of LongMemEval's answers: one rubric per question type.

The rules are those of the official evaluation (Wu et al., "LongMemEval", ICLR 2025), in our own words, which
`judge_prompts.toml` holds.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files

from rlm_memory_core.query.prompts import ChatMessage

_PROMPTS = tomllib.loads(files(__package__).joinpath("judge_prompts.toml").read_text(encoding="utf-8"))
RUBRICS: dict[str, str] = _PROMPTS["rubrics"]
"""By question type; "abstention" where nothing is to be found, "general" for all other types."""


def rubric(kind: str, abstain: bool) -> str:
    """Returns the rubric: for abstention if nothing is to be found, else by question type, else the general one.

    >>> rubric("temporal-reasoning", abstain=True) == RUBRICS["abstention"]
    True
    """
    return RUBRICS["abstention"] if abstain else RUBRICS.get(kind, RUBRICS["general"])


def judge_messages(question: str, reference: str, answer: str, *, kind: str, abstain: bool) -> list[ChatMessage]:
    """Asks whether one answer is right.

    Args:
        question: The question.
        reference: The benchmark's gold answer, rubric or explanation.
        answer: The method's answer.
        kind: The question's type, such as "temporal-reasoning".
        abstain: Whether the history does not hold the answer.

    >>> asked = judge_messages("Who?", "Mochi", "Your cat.", kind="multi-session", abstain=False)
    >>> asked[1]["content"].splitlines()[:3]
    ['<question>', 'Who?', '</question>']
    """
    parts = (("question", question), ("reference", reference), ("answer", answer))
    graded = "\n".join(f"<{tag}>\n{text}\n</{tag}>" for tag, text in parts)
    return [
        {"role": "system", "content": _PROMPTS["system"]},
        {"role": "user", "content": f"{graded}\n\n{rubric(kind, abstain)}\nIs the answer right? Reply yes or no."},
    ]


def again(messages: list[ChatMessage], reply: str) -> list[ChatMessage]:
    """Returns the same conversation after a reply that was neither yes nor no."""
    return [*messages, {"role": "assistant", "content": reply}, {"role": "user", "content": _PROMPTS["again"]}]
