"""LoCoMo as Samples: two people talk over months, and questions are asked about what they said.

A second benchmark beside LongMemEval: other histories, other questions, and two speakers instead of a user and an
assistant. A shared picture is given as its caption. The gold answers, the traps of adversarial questions and the cited
turns are labels and never reach a model. The summaries and observations in the file are not read.

Our scores (containment and token F1) are not comparable with the authors', which stem words and split lists.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rlm_memory_core.query.prompts import UNKNOWN

from ..types import ChatSession, ChatTurn, Sample
from .assets import LOCOMO, DataBroken, locate, one_line
from .draws import balanced

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
"""Names by number, as the authors' evaluation code has them; their paper lists the types in another order."""

_ADVERSARIAL = 5
_SESSION = re.compile(r"session_(\d+)")
_CITED = re.compile(r"D:?(\d+):")  # "D8:6", "D8:6; D9:17", and an error in the file, "D:11:26"
_DATE = "%I:%M %p on %d %B, %Y"  # "1:56 pm on 8 May, 2023"


def load(
    conversations: int | None = None, n: int | None = None, seed: int = 42, data_dir: str | Path | None = None
) -> list[Sample]:
    """Loads the questions of the file, conversation by conversation.

    The history of a question is its whole conversation, shared by all questions about it. There is no question date.
    For adversarial questions (category 5) the right answer is that nobody said so: `abstain` is true and the answer is
    `UNKNOWN`. Score them with `scoring.score_synthetic`, which looks for words of uncertainty.

    Args:
        conversations: The number of conversations, from the first; None for all.
        n: The number of questions drawn from them, balanced over the categories; None for all.
        seed: The seed of the draw.
        data_dir: A folder to search first; see `assets.locate`.

    Raises:
        ValueError: There are fewer conversations or questions than asked for.
        DataUnavailable: The file cannot be found or fetched.
        DataBroken: It is not a LoCoMo file.

    Example:
        >>> load(conversations=1, n=5)[0].kind  # doctest: +SKIP
        'adversarial'

    Source:
        Maharana et al., "Evaluating Very Long-Term Conversational Memory of LLM Agents", ACL 2024.
    """
    file = locate(LOCOMO, data_dir).resolve()
    try:
        talks = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataBroken(f"{file} cannot be read: {one_line(error)}; use the official file") from error
    if not isinstance(talks, list) or not talks:
        raise DataBroken(f"{file} is not a list of conversations; use the official file")
    if conversations is not None and not 1 <= conversations <= len(talks):
        raise ValueError(f"conversations must be 1 to {len(talks)}, not {conversations}")
    chosen = [one for talk in talks[:conversations] for one in _samples(talk, file)]
    if n is None:
        return chosen
    drawn = balanced([(one.id, one.kind) for one in chosen], n, seed)
    return [one for one in chosen if one.id in drawn]


def _samples(talk: Mapping[str, Any], file: Path) -> list[Sample]:
    """Returns all questions about one conversation."""
    try:
        numbers, sessions = _history(talk["conversation"])
        return list(_questions(talk, numbers, sessions))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        name = talk.get("sample_id", "a conversation") if isinstance(talk, dict) else "a conversation"
        reason = f"{error} is missing" if isinstance(error, KeyError) else one_line(error)
        raise DataBroken(f"{file}: {name} is not in LoCoMo's format: {reason}; use the official file") from error


def _history(conversation: Mapping[str, Any]) -> tuple[list[int], tuple[ChatSession, ...]]:
    """Returns the numbers of the sessions, oldest first, and the sessions; skips dates without a session."""
    found = []
    for key, said in conversation.items():
        if number := _SESSION.fullmatch(key):
            date = str(conversation[f"{key}_date_time"])
            session = ChatSession(date, list(map(_turn, said)))
            found.append((datetime.strptime(date, _DATE), int(number[1]), session))
    found.sort(key=lambda each: each[:2])
    return [number for _, number, _ in found], tuple(session for *_, session in found)


def _turn(said: Mapping[str, str]) -> ChatTurn:
    """Returns a turn; the speaker's name is in the text too, so that a search by words finds it."""
    shared = f" [shares a picture: {said['blip_caption']}]" if said.get("blip_caption") else ""
    return ChatTurn(said["speaker"], f"{said['speaker']}: {said['text']}{shared}")


def _questions(talk: Mapping[str, Any], numbers: Sequence[int], sessions: Sequence[ChatSession]) -> Iterator[Sample]:
    for place, asked in enumerate(talk["qa"]):
        category = int(asked["category"])
        adversarial = category == _ADVERSARIAL
        cited = {int(number) for source in asked["evidence"] for number in _CITED.findall(source)}
        yield Sample(
            id=f"{talk['sample_id']}-{place}",
            kind=CATEGORIES[category],
            question=asked["question"],
            answer=UNKNOWN if adversarial else str(asked["answer"]),  # some answers are numbers
            sessions=sessions,
            abstain=adversarial,
            evidence=() if adversarial else tuple(at for at, number in enumerate(numbers) if number in cited),
        )
