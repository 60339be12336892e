"""Separates a model's thoughts from its reply, for servers that leave them in the text: `<think>Hm.</think>Hello!`.

A thought begins with a tag at the start of the reply and ends with the closing tag. If the closing tag is missing, the
model was cut off. If the opening tag is missing, it is in the server's prompt template. The usual names, such as
`think`, may also begin a line of the reply. Any other tag, and a tag in quotes or code, is part of the reply.

Around thoughts, servers also leave special tokens (`<|im_end|>`) and a wrapper of the rest (`<answer>`). They go too.
"""

import re

_SPECIAL = r"<(?:[|｜][^<>\s]{1,40}[|｜]|(?:start|end)_of_turn|[be]os)>"
_TOKEN = re.compile(  # ignoring case only in the names keeps the search fast
    r"(\*\*|__|[*_])?[<◁]\|?(?P<end>/|(?i:end_(?:of_)?))?(?P<tag>(?i:[a-z_:]{0,12}?(?P<name>think|thought|reason|reflect"
    r"|scratch_?pad|monologue|analysis|details|answer|response|solution|output|final)[a-z_]{0,12}))"
    r"(?P<fields>\s+[\w:-]+=[^<>\n]{0,80})?\s?\|?[>▷](?(1)\1)"
    r"|\[(?P<slash>/?)(?P<think>THINK)\]"
    r"|(?:<\|start\|>\w+)?<\|(?P<channel>channel)(?:\|>(?:(?P<final>final)|analysis|commentary)[^<>]{0,40}(?:<\|constrain\|>\w*)?"
    r"<\|message\|>|>thought)"
    rf"|<(?P<shut>channel)\|>|(?P<special>{_SPECIAL})|```+|~~~+"
)
_UNFINISHED = re.compile(  # a piece may end with half a tag, or with emphasis around a tag
    r"(?:[*_]{0,2}[<◁](?:[|｜/\w:▁]+(?:\s[^<>\n]{0,80})?[|｜]?)?|[*_]{1,2}(?:[<◁][^<>\n]{1,90}[>▷][*_]?)?"
    r"|<\|(?:start|channel)(?:(?!message\|>)[|\w<>= .]){0,90}|[\ud800-\udbff]|\[[/a-zA-Z]*|`+|~+)\Z"
)
_LONGEST = 140  # characters of a tag
_ANYWHERE = re.compile(r"(?:seed:|ant|start_|begin_of_)?(?:think(?:ing)?|thoughts?|reason(?:ing)?)|channel", re.I)
_SURE = re.compile(r"[<◁\[][^<>\]]{0,40}(?:think|thought|reason|channel)", re.I)
_WRAPPERS = ("answer", "response", "solution", "output", "final")
_QUOTES = ("`", "'", '"', "“", "‘", "«")
_BLANKS = " \t\n\r\v\f\x85\xa0\xad\u2028\u2029\u202f\u205f\u2060\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x2010)))
_MARKS = "*_>#"  # of Markdown; some models emphasise or quote their thoughts


class ThoughtSplitter:
    r"""Separates text and thoughts in a reply that arrives in pieces, in linear time. `thoughts` holds those so far.

    >>> splitter = ThoughtSplitter()
    >>> [splitter.feed(piece) for piece in ("<thi", "nk>Hm.</think>", "\n\nHel", "lo!")], splitter.thoughts
    (['', '', 'Hel', 'lo!'], ['Hm.'])
    """

    def __init__(self) -> None:
        self.thoughts: list[str] = []
        self._open: re.Match[str] | None = None  # the tag that opened the current thought
        self._thought: list[str] = []  # the current thought's text so far
        self._kept = ""  # half a tag, to be continued
        self._held: list[str] = []  # text that is not returned yet: blanks and marks before the first word
        self._line_is_blank, self._last = True, ""  # about the text so far: its last line and character
        self._edge = ""  # marks before the first thought, such as "**"; they may stand after it too
        self._has_begun = self._has_words = self._in_code = self._names_tags = self._is_wrapped = False

    def feed(self, piece: str, is_last: bool = False) -> str:
        """Take a piece and return its text without thoughts. Keep back an end that may be the start of a tag."""
        text = self._kept + piece
        unfinished = None if is_last else _UNFINISHED.search(text, max(len(text) - _LONGEST, 0))
        end = unfinished.start() if unfinished else len(text)
        self._kept = text[end:]
        at = 0
        for token in _TOKEN.finditer(text, 0, end):
            self._read(text[at : token.start()])
            self._read_token(token)
            at = token.end()
        self._read(text[at:end])
        if is_last and self._open:
            if self._has_words:
                self._held += [self._open[0], *self._thought]  # the tag was only mentioned
            else:
                self._end_thought(self._thought)
        if not (is_last or self._has_words):
            return ""
        said, self._held = "".join(self._held), []
        if self.thoughts and not self._has_begun:
            said = said.lstrip(_BLANKS).removeprefix(self._edge).lstrip(_BLANKS)
        self._has_begun = True
        return said

    def _read(self, text: str) -> None:
        if self._open:
            self._thought.append(text)
        elif text:
            self._held.append(text)
            _, newline, line = text.rpartition("\n")
            self._line_is_blank = bool(self._line_is_blank or newline) and not line.strip(_BLANKS)
            self._has_words = self._has_words or bool(text.strip(_BLANKS + _MARKS))
            self._last = text[-1]

    def _read_token(self, token: re.Match[str]) -> None:
        name, closes = _name(token), any(token.group("end", "slash", "final", "shut"))
        is_quoted = self._in_code or self._last in _QUOTES
        is_usual = _ANYWHERE.fullmatch(token["tag"] or name)
        begins = not self._has_words or (self._line_is_blank and is_usual)
        if self._open and not (closes and name == _name(self._open)):
            self._read(token[0])
        elif self._open:
            self._end_thought(self._thought)
        elif is_quoted or not (name or token["special"]):
            self._in_code ^= self._line_is_blank and not (name or token["special"])
            self._read(token[0])
        elif token["special"]:
            if self._has_words and not self.thoughts:
                self._read(token[0])
        elif name in _WRAPPERS:
            if self._is_wrapped if closes else self.thoughts and not self._has_words:
                self._is_wrapped = not closes
            else:
                self._read(token[0])
        elif closes and is_usual and not self._names_tags:  # everything before it was a thought
            self._end_thought(self._held)
            self._held, self._has_words = [], False
        elif not closes and begins and (name != "details" or "reasoning" in (token["fields"] or "")):
            if not self._has_words:
                self._edge = "".join(self._held).strip(_BLANKS)
                self._held = []
            self._open, self._thought = token, []
        else:
            self._names_tags = True
            self._read(token[0])

    def _end_thought(self, thought: list[str]) -> None:
        self.thoughts.append("".join(thought).strip(_BLANKS))
        self._open, self._line_is_blank, self._last = None, True, ""


def split_thoughts(text: str, apart: str = "") -> tuple[str, str]:
    r"""Return a whole reply without its thoughts, and the thoughts.

    Args:
        text: The reply.
        apart: Thoughts that the server sent separately.

    >>> split_thoughts("Hm. </think>Use `<think>`."), split_thoughts("It begins with <think> and ends.")
    (('Use `<think>`.', 'Hm.'), ('It begins with <think> and ends.', ''))
    """
    splitter = ThoughtSplitter()
    splitter.thoughts += [apart] * bool(apart)
    said, thoughts = splitter.feed(text, is_last=True), "\n\n".join(filter(None, splitter.thoughts))
    if thoughts != apart and not (said.strip() or _SURE.search(text)):
        return text, apart  # if a whole reply is in tags such as <analysis>, it is the answer
    return said, thoughts


def _name(token: re.Match[str]) -> str:
    """Return the word that tags of one thought share, because some models close <think> with </thinking>."""
    return (token["name"] or token["think"] or token["channel"] or token["shut"] or "").lower()
