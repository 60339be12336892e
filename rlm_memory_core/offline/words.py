"""Words: how the offline reader compares two pieces of English.

It lower-cases, drops stop words, strips common endings, folds irregular forms
and a modest table of plain synonyms, and guesses how telling a word is. It
knows no grammar, no names and no corpus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")

STOP = frozenset(
    """a about above after again against all also am an and any are aren't as at be because been before being below
    between both but by can can't cannot could couldn't did didn't do does doesn't doing don't down during each
    either else ever few for from further had hadn't has hasn't have haven't having he he'd he'll he's her here here's
    hers herself him himself his how how's i i'd i'll i'm i've if in into is isn't it it'd it'll it's its itself just
    let let's may me might mine more most much must my myself no nor not of off on once only or other ought our ours
    ourselves out over own per please rather really same shall she she'd she'll she's should shouldn't so some such
    than that that's the their theirs them themselves then there there's these they they'd they'll they're they've
    this those though through to too under until up upon us very via was wasn't we we'd we'll we're we've were weren't
    what what's when when's where where's which while who who's whom whose why why's will with within without won't
    would wouldn't yes yet you you'd you'll you're you've your yours yourself yourselves
    many long far old often ago s t d m ll re ve""".split()
)
"""Words that carry no content of their own."""

_ASKING = frozenset(
    """remind remember recall wonder wondering mention mentioned tell told say said discuss discussed conversation chat
    chatted previous previously earlier follow followed back going looking thinking thought want wanted confirm ask
    asked question know help provide provided suggest suggested recommend recommended give gave talk talked last time
    actually currently current now far total name called type kind sort many number amount list lately recently
    recent initially first thing things altogether overall combined since date moment""".split()
)
"""Words by which a question points at an answer rather than at its subject."""

_COMMON = frozenset(
    """able add age always another around attend away bad become before begin best better big bit bring buy call
    care change check choose city come consider cost course create current day decide different early easy end enjoy
    enough especially even event every everything example experience family fan feel find finish food free friend full
    fun get give go good great group guess happen happy hard have hear help high hold home hope hour house idea include
    info information interested issue item join keep kind know large last later learn leave less life like line list
    little live local look lose lot love main make maybe mean meet mind minute money month morning move name need never
    new next nice night now number offer often ok okay old one open option order part pay people perfect person place
    plan play possible prefer pretty probably problem purchase put question quite read ready receive regular remember
    right run save say see seem set share show sign simple since small someone something soon sound special specific
    spend start stay still stop store style suggest sure take talk team tell thank thanks thing think time tip today
    together tomorrow tonight try turn two type use useful usually visit wait walk want watch way week weekend well
    wonder work world worth write year yesterday""".split()
)
"""Everyday words: a match on one of them says little."""

_IRREGULAR = {
    form: base
    for line in """be is are was were been being|go went gone goes going|
    use used using|buy bought|get got gotten|take took taken|
    give gave given|make made|see saw seen|come came|find found|tell told|say said|think thought|know knew known|
    leave left|feel felt|bring brought|begin began begun|keep kept|hold held|write wrote written|meet met|pay paid|
    run ran|speak spoke spoken|spend spent|read|grow grew grown|lose lost|send sent|build built|fall fell fallen|
    sell sold|eat ate eaten|drive drove driven|wear wore worn|teach taught|catch caught|choose chose chosen|
    sleep slept|fly flew flown|break broke broken|drink drank drunk|sing sang sung|swim swam swum|ride rode ridden|
    win won|wake woke woken|forget forgot forgotten|hear heard|stand stood|understand understood|draw drew drawn|
    throw threw thrown|rise rose risen|become became|have has had|do did done|child children|person people|man men|
    woman women|foot feet|tooth teeth|mouse mice|life lives|wife wives|knife knives|shelf shelves|leaf leaves|
    half halves|lend lent|steal stole stolen|hide hid hidden|lead led|bear born|sit sat|dig dug|hang hung|
    shoot shot|stick stuck|strike struck|wind wound""".replace("\n", "").split("|")
    for base, *forms in [line.split()]
    for form in forms
}

_SYNONYMS = {
    word: group.split()[0]
    for group in """buy purchase acquire
    child kid
    movie film
    photo picture photograph
    car vehicle
    trip travel vacation journey
    job occupation profession career
    begin start beginning
    finish complete end completion
    grandmother grandma granny nana
    grandfather grandpa granddad
    mother mom mum mommy
    father dad daddy
    store shop
    recommend suggest
    bike bicycle
    ill sick unwell
    favorite favourite
    color colour
    theater theatre
    center centre
    television tv
    repair fix
    receive arrive deliver delivery arrival
    frequent often frequently
    speak talk
    gift present
    doctor physician
    apartment flat
    large big
    reside live
    wed wedding marry marriage
    fast quick speed
    phone smartphone cellphone
    attend participate
    exercise workout
    assist help
    dinner supper
    couch sofa
    subscribe subscription
    pet animal
    cost price
    lawyer attorney
    automobile car
    graduate graduation degree
join member membership
injure injury hurt
move relocate
engage engagement
die death
kilogram kg kilo
kilometer kilometre km""".splitlines()
    for word in group.split()[1:]
}


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Reduce a word to a form shared by its close relatives.

    Args:
        word: One word, in any case.

    >>> stem("Classes"), stem("purchased"), stem("studies") == stem("study")
    ('class', 'buy', True)
    """
    word = word.lower().replace("’", "'")
    word = word.removesuffix("'s").replace("'", "")
    word = _IRREGULAR.get(word, word)
    word = _SYNONYMS.get(word, word)
    bare = _strip(word)
    return _STEMMED_SYNONYMS.get(bare, bare)


def _strip(word: str) -> str:
    """Cut plural, past, -ing and -ly endings, then a final e or y."""
    if len(word) > 3 and word.isalpha():
        if word.endswith(("sses", "xes", "ches", "shes", "zes")):
            word = word[:-2]
        elif word.endswith("ies") and len(word) > 4:
            word = word[:-3] + "y"
        elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
        for ending in ("ation", "ition", "ment", "ion", "al"):
            base = word.removesuffix(ending)
            if base != word and len(base) >= 5:
                return base
        for ending in ("ingly", "edly", "ing", "ed", "ly"):
            base = word.removesuffix(ending)
            if base != word and len(base) >= 3 and any(vowel in base for vowel in "aeiouy"):
                doubled = len(base) > 3 and base[-1] == base[-2] and base[-1] not in "lsz"
                word = base[:-1] if doubled else base
                break
        if len(word) > 3 and word[-1] == "e":
            word = word[:-1]
        if len(word) > 3 and word[-1] == "y":
            word = word[:-1] + "i"
    return word


_STEMMED_SYNONYMS = {_strip(word): _strip(head) for word, head in _SYNONYMS.items()}
_STEMMED_COMMON = frozenset(stem(word) for word in _COMMON)
_STEMMED_ASKING = frozenset(stem(word) for word in _ASKING)


ALIKE: dict[str, tuple[str, ...]] = {}
"""For each stem the other words of the tables above that share it: bought, purchase and acquire for that of buy."""

for _word in (*_IRREGULAR, *_SYNONYMS):
    ALIKE[stem(_word)] = (*ALIKE.get(stem(_word), ()), _word)


def words(text: str) -> Iterator[str]:
    """Yield the words of a text as they stand, in order.

    >>> list(words("It's 7:30 am, José!"))
    ["It's", '7', '30', 'am', 'José']
    """
    return (match[0] for match in WORD.finditer(text))


def weight(word: str) -> float:
    """Guess from the word alone how telling it is: 0 for a stop word, 1 for an ordinary content word.

    Args:
        word: One word, in any case.

    >>> weight("the"), weight("week") < weight("ukulele")
    (0.0, True)
    """
    if word.lower().replace("’", "'") in STOP:
        return 0.0
    base = stem(word)
    if base in _STEMMED_ASKING:
        return 0.15
    if base in _STEMMED_COMMON:
        return 0.5
    return 1.0
