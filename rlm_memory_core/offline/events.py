"""Events: the two happenings, or the options, that a question on time sets against each other.

It cuts the words of a question and nothing else; which sentences tell of an
event, and on what day it was, is for `evidence`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_DAY = r"(?:(?:the|that) (?:very )?(?:day|date|time|moment|week|month|year)s?(?: (?:that|when|on which))? |when )?"
_LINK = r"(?:when|by the time|at the time|until|till|before|after|since)"
_AUXILIARY = r"(?:did|do|does|had|have|has|was|were|is|are|could|can|would|will)"

_PAIRS = [
    re.compile(rf"\b(?:between|separat\w+) {_DAY}(.+?),? and (?={_LINK}\b|the day\b|the time\b)(.+)", re.I),
    re.compile(rf"\b(?:between|separat\w+) {_DAY}(.+?),? and (?=I\b|my\b|getting\b|[a-z]+ing\b|the\b|a\b)(.+)", re.I),
    re.compile(rf"\b(?:between|separat\w+) {_DAY}(.+?),? and (.+)", re.I),
    re.compile(rf"\bfrom {_DAY}(.+?),? (?:to|until|till) {_DAY}(.+)", re.I),
    re.compile(rf"\bsince {_DAY}(.+?),? (?:when|by the time|at the time|until|till|before) (.+)", re.I),
]
_LINK_FIRST = [
    re.compile(rf"\b(?P<link>after|before|since) {_DAY}(.+?),? {_AUXILIARY}\b(?! (?:it|there)\b)(.+)", re.I),
    re.compile(r"^(?P<link>when|by the time|at the time|before|after) (.+?), (?:how|for how) (.+)", re.I),
]
_LINK_BETWEEN = re.compile(rf"(.+?),? \b(?P<link>{_LINK})\b {_DAY}(.+)", re.I)
_AFTER = ("after", "since")
_LEAD = re.compile(
    r"^.*?\b(?:how (?:many|much|long)|number of|for how long)\b (?:of )?"
    r"(?:full |whole |more )?(?:seconds?|minutes?|hours?|days?|nights?|weeks?|weekends?|months?|years?|time)?\b",
    re.I,
)
_FILLER = re.compile(
    r"\b(?:(?:have|has|had) (?=passed|been\b|gone)|passed|pass|elapsed?|went by|go by|gone by"
    r"|(?:did|does|has) (?:it|there)|it took|took|take|taken|been|how many|how long"
    r"|days?|weeks?|months?|years?|in total)\b",
    re.I,
)
_PRONOUN = re.compile(r"\b(?:it|its|them|they|their|one|him|her|his|he|she|there|this|that)\b", re.I)
_OF_BOTH = re.compile(
    r"\b(?:of|between|among) (?:the )?([^,?]{2,90}?),? and (?:the )?([^,?]{2,90}?), (?:which|what|who)\b", re.I
)
_OPTIONS = re.compile(r"(?:,|:|\bfirst\b|\bearlier\b|\blater\b|\?|-)\s*([^:?]{2,160}?),? or ([^,?]{2,90})\?", re.I)
_ITEM_END = re.compile(r",? and (?:the |a |an |my )?|, (?:the |a |an |my )?", re.I)
_LISTED = re.compile(r",? and |, ", re.I)
_ORDERED = re.compile(
    r"\b(?:put|arrange|sort|list|bring) (.+?),? (?:in|into|by)\b.*\border\b"
    rf"|\border (?:of|did|do|were|was|in which)\b(?: {_AUXILIARY})?(?: I\b| we\b)? ?(.+)",
    re.I,
)
_ORDER_END = re.compile(
    r",? (?:(?:from|starting|beginning) (?:with )?(?:the )?(?:earliest|oldest|first|latest|newest|last|most recent)\b.*"
    r"|happen\w*|occur\w*|take place|took place)$",
    re.I,
)
_AFTER_VERB = re.compile(
    r"^.*?\b(?:on|of|for|sold|sell|bought|from|in (?!total\b|all\b)|at) ?(?:the |a |an |my |both )?", re.I
)
_AFTER_NOUN = re.compile(r"^.*\b(?:from|of|on|for|with) (?:the |a |an |my |both )?", re.I)
_OR_AT_END = re.compile(
    r"^\W*(?:did|was|were|had) (?:I )?(.+?) or (.+?) (?:first|earlier|later|last|more recently)\W*$", re.I
)
_ARTICLE = re.compile(r"^(?:either|the|was it|did I|is it|did|was) +", re.I)
_BEFORE_OR_AFTER = re.compile(
    rf"^\W*{_AUXILIARY}\b(?: I\b)? (.+?),? "
    rf"(?:before or after|after or before|earlier or later than|(before|after|earlier than|later than)) {_DAY}(.+)",
    re.I,
)


def pair(question: str) -> tuple[str, str] | None:
    """The two events between which a question measures, the earlier first where its words say which that is.

    Args:
        question: A question such as "How many days ... A ... B?".

    >>> pair("How many days were there between my exam and the party?")
    ('my exam', 'the party')
    >>> pair("How many weeks after the exam did I move?")
    ('the exam', 'I move')
    >>> pair("How many weeks before the exam did I move?")
    ('I move', 'the exam')
    """
    for first, second in _pairs(question.strip().rstrip("?. ")):
        first, second = (
            " ".join(_FILLER.sub(" ", _LEAD.sub("", part)).split()).strip(" ,") for part in (first, second)
        )
        if first and second:
            return first, second
    return None


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """The two halves as each pattern cuts them; of "B after A" and "before B, A" the second comes first."""
    for pattern in _PAIRS:
        if match := pattern.search(text):
            yield match[1], match[2]
    for pattern in _LINK_FIRST:
        if match := pattern.search(text):
            yield (match[2], match[3]) if match["link"].lower() in _AFTER else (match[3], match[2])
    if match := _LINK_BETWEEN.search(text):
        yield (match[3], match[1]) if match["link"].lower() in _AFTER else (match[1], match[3])


def told_apart(question: str) -> tuple[str, str, str | None] | None:
    """For "did A happen before or after B": A, B and, where the question says only one, the word that it says.

    >>> told_apart("Did I move before or after the wedding?")
    ('move', 'the wedding', None)
    """
    match = _BEFORE_OR_AFTER.search(question.strip().rstrip("?. "))
    return (match[1], match[3], match[2].split()[0].lower() if match[2] else None) if match else None


def options(question: str) -> tuple[str, ...]:
    """The things among which a question lets one choose, as they are called in it; () for none.

    >>> options("Which came first, the exam, the party or the wedding?")
    ('exam', 'party', 'wedding')
    """
    both = _OF_BOTH.search(question) or _OR_AT_END.search(question)
    if both:
        found = [both[1], both[2]]
    else:
        match = _OPTIONS.search(question)
        if not match:
            return ()
        found = [*match[1].split(", "), match[2]]
    return tuple(option for one in found if (option := _ARTICLE.sub("", one.strip(" '\"“”,")).strip(" '\"“”")))


def in_order(question: str) -> tuple[str, ...]:
    """The happenings that a question wants put in order, as it calls them; () where it does not list them.

    >>> in_order("What is the order of these trips, from first to last: Rome, Oslo and Bern?")
    ('Rome', 'Oslo', 'Bern')
    >>> in_order("Put my move, the exam and the flood in chronological order.")
    ('my move', 'the exam', 'the flood')
    """
    text = question.strip().rstrip("?. ")
    _, colon, listed = text.rpartition(": ")
    if not colon:
        found = _ORDERED.search(text)
        listed = _ORDER_END.sub("", (found[1] or found[2]) if found else "")
    parts = [part.strip(" '\"“”") for part in _LISTED.split(listed)]
    return tuple(part for part in parts if part) if len(parts) > 1 else ()


def items(question: str) -> tuple[str, ...]:
    """The things that a question lists to be added up, or (); two at least.

    >>> items("How much did I spend on the hat, the coat and my scarf?")
    ('hat', 'coat', 'scarf')
    """
    first, *others = _ITEM_END.split(_AFTER_VERB.sub("", question.strip().rstrip("? ")))
    found = [item.strip() for item in (_AFTER_NOUN.sub("", first), *others)]
    return tuple(item for item in found if item) if len(found) > 1 else ()


def leans(part: str) -> bool:
    """Whether a part names its thing by a pronoun only, so that the other part must say what it is.

    >>> leans("I ordered it"), leans("I ordered the desk")
    (True, False)
    """
    return bool(_PRONOUN.search(part))
