"""Takes a model's thoughts out of what it says, such as `<think>Hm.</think>Hello!`.

Servers that do not separate thoughts leave them in the text. A thought begins with a tag at the start of a line and
outside code, and ends with its closing tag; some models write special tokens, such as `<|channel|>analysis<|message|>`.
At the start of a reply the closing tag may be missing, because the model was cut off, or the opening tag, because the
server's template holds it. Any other tag is part of the reply.
"""

import re

# the closing sign or word, and the name, of each kind of tag; ignoring case only in the names keeps the search fast
_TOKEN = re.compile(
    r"[<◁]\|?(/|(?i:end_(?:of_)?))?(?i:(?:seed:|ant|start_|begin_of_)?(think(?:ing)?|thoughts?|reason(?:ing)?))"
    r"(?:\s[^<>\n]{0,40})?\|?[>▷]|\[(/?)((?i:THINK))\]"
    r"|(?:<\|start\|>\w+)?<\|channel\|>(?:(final)|analysis|commentary)<\|message\|>|<\|channel>thought|(<channel\|>)"
    r"|<\|\w+\|>|```+|~~~+"
)
_UNFINISHED = re.compile(  # the end of a piece may be half a tag
    r"(?:[<◁](?:[|/\w:]+(?:\s[^<>\n]{0,40})?\|?)?|<\|(?:start|channel)(?:(?!message\|>)[|\w<>]){0,70}"
    r"|\[[/a-zA-Z]*|`+|~+)\Z"
)
_LONGEST = 80  # characters of a tag
_QUOTES = ("`", "'", '"', "“", "‘", "«")


class ThoughtSplitter:
    r"""Splits a reply that comes in pieces, in linear time. `thoughts` holds what was thought so far.

    >>> splitter = ThoughtSplitter()
    >>> [splitter.feed(piece) for piece in ("<thi", "nk>Hm.</think>", "\n\nHel", "lo!")], splitter.thoughts
    (['', '', 'Hel', 'lo!'], ['Hm.'])
    """

    def __init__(self) -> None:
        self.thoughts: list[str] = []
        self._open: re.Match[str] | None = None  # the tag whose thought comes now
        self._thought: list[str] = []  # its text so far
        self._kept = ""  # half a tag
        self._blanks: list[str] = []  # before the first word
        self._line_is_blank, self._last = True, ""  # what stands before: in its line, and its last character
        self._has_said = self._in_code = self._names_tags = False

    def feed(self, piece: str, is_last: bool = False) -> str:
        """Take a piece and return what is said in it, without what may still become a tag."""
        text = self._kept + piece
        unfinished = None if is_last else _UNFINISHED.search(text, max(len(text) - _LONGEST, 0))
        end = unfinished.start() if unfinished else len(text)
        parts: list[str] = []  # of what is said
        at = 0
        for token in _TOKEN.finditer(text, 0, end):
            self._read(text[at : token.start()], parts)
            self._read_token(token, parts)
            at = token.end()
        self._read(text[at:end], parts)
        said, self._kept = "".join(parts), text[end:]
        if is_last and self._open:
            thought = "".join(self._thought)
            if self._has_said or said.strip():
                said += self._open[0] + thought  # the reply only names the tag
            else:
                self.thoughts.append(thought.strip())
        if not self._has_said:
            self._blanks.append(said)
            self._has_said = is_last or bool(said.strip())
            said = "".join(self._blanks) if self._has_said else ""
            said = said.lstrip() if self.thoughts else said
        return said

    def _read(self, text: str, parts: list[str]) -> None:
        (self._thought if self._open else parts).append(text)
        _, newline, line = text.rpartition("\n")
        self._line_is_blank = bool(self._line_is_blank or newline) and not line.strip()
        self._last = text[-1:] or self._last

    def _read_token(self, token: re.Match[str], parts: list[str]) -> None:
        name, closes = _name(token), any(token.group(1, 3, 5, 6))
        if token[0].startswith("<|") and not name and self.thoughts and not self._open:
            return  # a special token around what is said
        if self._open and closes and name == _name(self._open):
            self.thoughts.append("".join(self._thought).strip())
            self._open, self._thought, self._line_is_blank = None, [], True
        elif not name and self._line_is_blank and not self._open:
            self._in_code = not self._in_code
            self._read(token[0], parts)
        elif self._open or not name or self._in_code or self._last in _QUOTES:
            self._read(token[0], parts)
        elif closes and not self._names_tags:  # all before it was a thought
            self.thoughts.append("".join(parts).strip())
            parts.clear()
            self._line_is_blank = True
        elif not closes and self._line_is_blank:
            self._open = token
        else:
            self._names_tags = True
            self._read(token[0], parts)


def split_thoughts(text: str) -> tuple[str, str]:
    r"""Return a whole reply without its thoughts, and the thoughts.

    >>> split_thoughts("Hm. </think>Use `<think>`."), split_thoughts("It begins with <think> and ends.")
    (('Use `<think>`.', 'Hm.'), ('It begins with <think> and ends.', ''))
    """
    splitter = ThoughtSplitter()
    return splitter.feed(text, is_last=True), "\n\n".join(filter(None, splitter.thoughts))


def _name(token: re.Match[str]) -> str:
    """The beginning of a tag's name, as some models close <think> with </thinking>; "" for other tokens."""
    return (token[2] or token[4] or "channel" * ("channel" in token[0]))[:5].lower()
