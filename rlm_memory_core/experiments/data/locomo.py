"""LoCoMo as Samples: two people talk over months, and questions are asked about what they said.

A second benchmark beside LongMemEval: other histories, other questions, and two speakers instead of a user and an
assistant. A picture that somebody shares stands as its caption. The gold answers, the trap that an adversarial
question sets, and the cited turns are labels, and go no further than the Sample.

Scores are this package's (containment and token F1). The authors' own stems words and splits lists, so that no figure
here is comparable with theirs. Nothing of the conversations' summaries and observations, which the file holds too, is
read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rlm_memory_core.query.prompts import UNKNOWN

from .assets import LOCOMO, DataBroken, locate, one_line
from .draws import balanced
from ..types import ChatSession, ChatTurn, Sample

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
"""Names by number, as the authors' evaluation code has them; their paper lists the types in another order."""

_ADVERSARIAL = 5
_SESSION = re.compile(r"session_(\d+)")
_CITED = re.compile(r"D:?(\d+):")  # "D8:6", "D8:6; D9:17", and a slip of the file, "D:11:26"
_DATE = "%I:%M %p on %d %B, %Y"  # "1:56 pm on 8 May, 2023"


def path(data_dir: str | Path | None = None, progress: bool = False) -> Path:
    """The file, downloaded once if it is nowhere on disk; see `assets.locate`."""
    return locate(LOCOMO, data_dir, progress=progress).resolve()


def load(
    conversations: int | None = None,
    n: int | None = None,
    categories: Sequence[int] | None = None,
    seed: int = 42,
    data_dir: str | Path | None = None,
    progress: bool = False,
) -> list[Sample]:
    """The questions of the file, conversation by conversation.

    The history of a question is its whole conversation; questions about one conversation share it. There is no
    question date. Where the right answer is that nobody said so (category 5, "adversarial"), `abstain` is true and
    the answer is `prompts.UNKNOWN`: score with `scoring.score_synthetic`, which asks for words of uncertainty there.

    Args:
        conversations: So many, from the first; None for all.
        n: Draws so many questions of theirs, balanced over the categories; None for all.
        categories: Some of `CATEGORIES`; None for all.
        seed: Of the draw.
        data_dir: Where to look for the file first; see `assets.locate`.
        progress: Shows a bar while downloading.

    Raises:
        ValueError: An argument asks for what there is not.
        DataUnavailable: The file cannot be found or fetched.
        DataBroken: It is not a LoCoMo file.

    Example:
        >>> load(conversations=1, n=5)[0].kind  # doctest: +SKIP
        'adversarial'

    Source:
        Maharana et al., "Evaluating Very Long-Term Conversational Memory of LLM Agents", ACL 2024.
    """
    if unknown := [number for number in categories or () if number not in CATEGORIES]:
        raise ValueError(f"no category {unknown[0]}; there are {', '.join(map(str, CATEGORIES))}")
    file = path(data_dir, progress)
    talks = _read(file)
    if conversations is not None and not 1 <= conversations <= len(talks):
        raise ValueError(f"conversations must be 1 to {len(talks)}, not {conversations}")
    wanted = [CATEGORIES[number] for number in categories or CATEGORIES]
    chosen = [one for talk in talks[:conversations] for one in _samples(talk, file) if one.kind in wanted]
    if n is None:
        return chosen
    drawn = set(balanced([(one.id, one.kind) for one in chosen], n, seed))
    return [one for one in chosen if one.id in drawn]


def _read(file: Path) -> list[Any]:
    try:
        talks = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataBroken(f"{file} cannot be read: {one_line(error)}; use the official file") from error
    if not isinstance(talks, list) or not talks:
        raise DataBroken(f"{file} is not a list of conversations; use the official file")
    return talks


def _samples(talk: Mapping[str, Any], file: Path) -> list[Sample]:
    """All questions about one conversation."""
    try:
        numbers, sessions = _history(talk["conversation"])
        return list(_questions(talk, numbers, sessions))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        name = talk.get("sample_id", "a conversation") if isinstance(talk, dict) else "a conversation"
        reason = f"{error} is missing" if isinstance(error, KeyError) else one_line(error)
        raise DataBroken(f"{file}: {name} is not in LoCoMo's format: {reason}; use the official file") from error


def _history(conversation: Mapping[str, Any]) -> tuple[list[int], tuple[ChatSession, ...]]:
    """The numbers of the sessions, oldest first, and the sessions; a date without a session is none."""
    found = []
    for key, said in conversation.items():
        if number := _SESSION.fullmatch(key):
            date = str(conversation[f"{key}_date_time"])
            found.append((datetime.strptime(date, _DATE), int(number[1]), date, said))
    found.sort(key=lambda session: session[:2])
    return [number for _, number, _, _ in found], tuple(
        ChatSession(date, [_turn(turn) for turn in said]) for _, _, date, said in found
    )


def _turn(said: Mapping[str, str]) -> ChatTurn:
    """A turn as its speaker's words; the name stands in the text too, where a search by words finds it."""
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
