"""Forms: the patterns of English by which a question shows what it asks for, and what such an answer looks like.

Patterns and nothing else; ``question`` applies them.
"""

from __future__ import annotations

import re

from ..store.dates import NUMBER_WORDS

NUMBER = r"(?:\d[\d,]*(?:\.\d+)?|" + "|".join(NUMBER_WORDS) + r"|a dozen|couple)"
CURRENCY = "dollars|euros|pounds|bucks|francs|crowns|kroner|kronor|zloty|rupees|pesos|yen|yuan|rand|reais|lira"
_UNIT = r"(?:second|minute|min|hour|hr|day|night|week|weekend|month|year|decade)s?"
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_RELATIVE = "mom|mother|dad|father|brother|sister|cousin|aunt|uncle|wife|husband|son|daughter|grand\\w+|niece|nephew"
_PEOPLE = rf"(?:friend|partner|colleague|coworker|boss|neighbor|roommate|{_RELATIVE})s?"

EXPECTED = {
    "money": re.compile(rf"[$€£]\s?\d|\d\s?(?:{CURRENCY}|USD|EUR|k)\b|\bfree\b", re.I),
    "count": re.compile(rf"\b(?:{NUMBER}|once|twice|both)\b", re.I),
    "duration": re.compile(rf"\b(?:{NUMBER}|a|an|few|half)[\s-]+(?:and a half |more |full |\w+ )?{_UNIT}\b", re.I),
    "frequency": re.compile(rf"\b(?:once|twice|times|daily|weekly|monthly|yearly|every|each|per|{_WEEKDAY})\b", re.I),
    "time": re.compile(r"\b\d{1,2}(?::\d\d)?\s?[ap]\.?m\b|\b\d{1,2}:\d\d\b|\b(?:noon|midnight|o'clock)\b", re.I),
    "weekday": re.compile(rf"\b{_WEEKDAY}\b|\bweekends?\b", re.I),
    "when": re.compile(
        rf"\b(?:today|tonight|yesterday|tomorrow|ago|last|next|this (?:week|month|year|morning)|(?:19|20)\d\d"
        rf"|(?i:{_WEEKDAY})|{_MONTH})\b|\d(?:st|nd|rd|th)\b|\d/\d"
    ),
    "score": re.compile(r"\b\d+\s?[-–:]\s?\d+\b"),
    "age": re.compile(
        r"(?:['’](?:m|s|re)|\b(?:am|are|turn(?:ed|ing|s)?|aged?|is|was|were)) (?:a )?\d{1,3}\b(?! ?[%$:])"
        r"|\byears?[ -]old\b",
        re.I,
    ),
    "percent": re.compile(r"\d\s?%|\bper ?cent", re.I),
    "number": re.compile(rf"\b{NUMBER}\b", re.I),
    "where": re.compile(
        r"\b(?:in|at|to|from|near|on|by|inside|under|behind|called)\s+(?:\w+ ){0,3}?[A-Z]"
        r"|\b(?:in|at|under|on|to|from) (?:the|my|a)\b"
    ),
    "who": re.compile(rf"(?<=[a-z,] )[A-Z][a-z]+|\b{_PEOPLE}\b"),
    "name": re.compile(r"(?<=[\w,:] )[\"'“*@#]*[A-Z]\w|[\"“@]\w|\*\*"),
}
"""What an answer of each kind looks like."""

DIFFERENCE = r"\bhow much (?:more|less|cheaper|higher|lower)\b|\bby how much\b|\bdifference (?:in|between)\b"
_TITLED = (
    "brand|company|book|movie|film|song|restaurant|website|app|band|artist|game|show|store|service|title"
    "|hotel|museum|breed"
)
_SPAN = r"(?:day|night|week|weekend|month|year|decade)s?"
_KINDS = [
    (
        "order",
        r"\b(?:what|which) (?:(?:is|was) the )?(?:\w+ )?order (?:of|did|do|were|in which)\b"
        r"|\b(?:put|arrange|sort|list|name|bring)\b.*\border\b(?! to\b)"
        r"|\bfrom (?:the )?(?:earliest|oldest|first|latest|newest|last) to\b",
    ),
    ("first", r"\b(?:first|earli?er|earliest|last|later|(?:more|most) recently|before)\b.*(?:,|:|\?|-).* or\b"),
    ("first", r"\bor\b.*\b(?:first|earlier|later|last|more recently)\W*$"),
    ("first", r"\b(?:of|between|among)\b.+ and .+, (?:which|what|who)\b.*\b(?:first|earlier|later|last|recently)\b"),
    ("first", r"\bwhich\b.*\bmost recent\b.*,.* or\b"),
    (
        "told apart",
        r"^\W*(?:did|was|were|had|is|has)\b.*\b(?:before or after|after or before|(?:earlier|later) than)\b",
    ),
    ("told apart", r"^\W*(?:did|was|were|had)\b.*\b(?:before|after) (?:I|we|my|the|going|getting)\b"),
    (
        "ago",
        rf"\bhow (?:many|much) {_UNIT}\b.*\b(?:ago|since today)\b|\bhow long (?:ago|is it since|has it been since)\b",
    ),
    (
        "frequency",
        rf"\bhow (?:many|much) \w+(?: \w+)? (?:a|an|per|each|every) (?:{_UNIT})\b"
        r"|\bhow many times (?:a|per|each|every)\b",
    ),
    (
        "duration",
        rf"\bhow many (?:full )?{_UNIT} (?:have|has) (?!it\b|passed|gone)(?!.*\b(?:when|between)\b).*\bbeen\b",
    ),
    (
        "between",
        rf"\b(?:how (?:many|much)|number of) (?:more |full )?{_SPAN}\b(?!.*\bspen[dt]\b)(?!.*\bin total\b).*"
        r"\b(?:before|after|since|when|until|till|passed|(?:did|does) it take|it took|from|by the time)\b",
    ),
    ("between", rf"\b(?:how (?:many|much)|number of) (?:more |full )?{_SPAN}\b.*\b(?:between|separat\w+)\b"),
    (
        "between",
        r"\bhow much time (?:passed|was there|went by|elapsed)\b|^(?:when|by the time) .+, how long had\b"
        r"|\bhow long (?:after|before|between)\b|\bhow long (?:had|did|passed|was it|was there|from|is it from)\b.*"
        r"\b(?:when|before|after|until|till|to|since|between|by the time)\b",
    ),
    ("sum", rf"\b(?:total|altogether|combined|in all)\b|\bhow many {_UNIT}\b|{DIFFERENCE}"),
    ("frequency", r"\bhow (?:often|frequently|regularly)\b"),
    ("duration", r"\bhow long\b|\bhow much time\b|\bwhat duration\b"),
    ("money", r"\bhow much\b.*\b(?:cost|pay|paid|spen[dt]|money|price|worth|earn|save|raise|sell|sold|budget)"),
    ("money", r"\bwhat (?:did|do|does|will|would) .*\b(?:pay|cost|charge|earn)\b"),
    ("money", r"\bwhat\b.*\b(?:price|cost|budget|amount|salary)\b|\bhow expensive\b"),
    ("count", r"\bhow many\b|\bnumber of\b"),
    ("score", r"\b(?:what|which)\b.*\b(?:record|score|best time|personal best)\b"),
    ("age", r"\bhow old\b|\b(?:what|which) age\b|\bmy age\b"),
    ("number", r"\bhow (?:old|tall|big|large|fast|far|heavy|high|deep|much)\b|\bwhat (?:age|code|number)\b"),
    ("number", r"\b(?:number|password|size|score|weight|height|distance|age)\b"),
    ("percent", r"\bpercent(?:age)?\b|%"),
    ("time", r"\bwhat time\b|\bat what hour\b|\bhow (?:late|early)\b"),
    ("weekday", r"\b(?:what|which) days?(?: of the week)?\b"),
    ("when", r"\bsince when\b|\bwhen (?:did|do|does|is|was|were|will|are|has|have|had|would|should)\b"),
    ("when", r"\b(?:what|which) (?:date|month|year)\b|\bthe date\b"),
    ("where", r"\bwhere\b|\b(?:what|which) (?:city|town|country|place|state|location|venue)\b"),
    ("who", r"\bwho(?:m|se)?\b|\bwhich (?:friend|person)\b"),
    (
        "yesno",
        r"^\W*(?:do|does|did|is|are|was|were|have|has|had|will|would|can|could|should|am)\b"
        r"(?! you (?:remind|tell|recommend|suggest|help|give))",
    ),
    ("name", rf"\bname\b|\bcalled\b|\b(?:what|which) (?:\w+ ){{0,2}}(?:{_TITLED})\b"),
]
KINDS = [(kind, re.compile(pattern, re.I)) for kind, pattern in _KINDS]
"""The kinds of question; the first that fits counts."""

NEWEST = re.compile(
    r"\b(?:current|currently|now|latest|most recent|most recently|recently|lately|so far|newest|these days|nowadays"
    r"|at (?:the moment|present)|still|new)\b",
    re.I,
)
OLDEST = re.compile(
    r"\b(?:first|initially|initial|original|originally"
    r"|(?:previous|former)(?! (?:chat|conversation|discussion|talk|session))|previously|used to|formerly|earliest)\b",
    re.I,
)
FORMERLY = re.compile(
    r"\b(?:used to|before|until|till|previous(?:ly)?|former(?:ly)?|originally|at first|initially|rather than|instead of"
    r"|no longer|any ?more)\b",
    re.I,
)
"""How a sentence speaks of what was so once."""
LOOKS_BACK = re.compile(r"\b(?:before|at first|back then|in the beginning|when I (?:began|started))\b", re.I)
"""What makes the older answer the wanted one in a question that measures no time."""

PRESENT = re.compile(r"\b(?:do|does|don't|am|is|are|have|has)\b|\w'(?:ve|re)\b", re.I)
PAST = re.compile(r"\b(?:did|didn't|was|were|had|used to|ago|yesterday|last)\b", re.I)
"""Whether a question asks how things stand, or how they were."""
OF_ASSISTANT = re.compile(
    r"\b(?:you (?:\w+ )?(?:told|tell|said|mentioned|recommend|recommended|suggest|suggested|provided|gave|listed"
    r"|shared|described|wrote|created|explained|advised|helped|came up)|remind me"
    r"|our (?:\w+ )?(?:conversation|chat|discussion)"
    r"|we (?:\w+ )?(?:discussed|talked|decided)|your (?:\w+ )?(?:list|suggestion|recommendation|answer))",
    re.I,
)
OF_SELF = re.compile(
    r"\b(?:I|my|me|mine|I've|I'm|we|our|recommend|suggest"
    r"|any (?:\w+ )?(?:tips|advice|suggestions|recommendations|ideas|thoughts))\b",
    re.I,
)
"""Questions on the one who asks; advice is asked for in the light of what they told."""

SINCE = re.compile(r"\b(?:since|until|till)\b", re.I)
QUOTED = re.compile(r"[\"“]([^\"”]{2,80})[\"”]|(?<!\w)'([^']{2,80}(?:'s [^']{2,60})?)'(?!\w)")
CAPITAL = re.compile(r"(?<![.?!:]\s)(?<!^)(?<![\"'“])\b[A-Z][\w'’&+-]*[A-Za-z0-9+]")
UNIT_ASKED = re.compile(r"\bhow (?:many|much) (?:more )?(minute|hour|day|week|month|year)s?\b", re.I)
COUNTED = re.compile(r"\b(?:how many|number of) (?:different |total |new |unique |more )?(\w[\w' -]*)", re.I)
SOUGHT = re.compile(
    r"\b(?:what|which|how) (?:(?!many\b|much\b)[\w'-]+ ){0,3}?(\w+) "
    r"(?:did|does|do|is|are|was|were|have|has|had|can|will)\b",
    re.I,
)
"""The word before the verb of a question: the kind of thing asked for."""
CLAUSE_END = re.compile(
    r"(?<=[.?!;])\s+|,\s+(?=(?:can|could|and I|what|which|how|who|where|when|but|do|did)\b)|\s-\s", re.I
)
OF_MONEY = re.compile(r"cost|spen|pay|paid|money|amount|earn|[$€£]", re.I)
