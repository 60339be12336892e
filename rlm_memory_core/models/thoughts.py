"""Separates a model's thoughts from its reply, for servers that leave them in the text: `<think>Hm.</think>Hello!`.

A thought begins with a tag at the start of the reply, or of a later line, and ends with a closing tag. If the closing
tag is missing, the model was cut off. If the opening tag is missing, it is in the server's prompt template. Any other
tag, and a tag in quotes or code, is part of the reply.

Around thoughts, servers also leave special tokens, such as `<|im_end|>`. They go too.
"""

import re

_NAME = r"(?i:(?:\w{1,9}:)?(?:think|thinking|thoughts?|reasoning))"
# of OpenAI's format "harmony": the name of a channel stands between the two
_CHANNEL, _MESSAGE = r"(?:<\|start\|>\w{0,20})?<\|channel\|>", r"[\w\s=.:-]{0,60}(?:<\|constrain\|>\w*)?<\|message\|>"
_TOKEN = re.compile(
    rf"(?P<closing>[<◁]/{_NAME}[>▷]|\[/THINK\]|<\|END_THINKING\|>|<channel\|>|{_CHANNEL}final{_MESSAGE})"
    rf"|(?P<opening>[<◁]{_NAME}[>▷]|\[THINK\]|<\|START_THINKING\|>|<\|channel>thought|{_CHANNEL}\w{_MESSAGE})"
    r"|(?P<special><[|｜][^<>\s]{1,40}[|｜]>|<(?:start|end)_of_turn>|<[be]os>)|(?P<fence>```+|~~~+)"
)
_UNFINISHED = re.compile(  # a piece may end with half a token
    r"(?:<\|(?:start|channel)(?:(?!message\|>)[|\w<>=\s.:-]){0,140}"
    r"|[<◁][^<>▷\s]{0,42}|\[/?[THINK]*|`+|~+|[\ud800-\udbff])\Z"
)


class ThoughtSplitter:
    r"""Separates text and thoughts in a reply that arrives in pieces, in linear time. `thoughts` holds those so far.

    >>> splitter = ThoughtSplitter()
    >>> [splitter.feed(piece) for piece in ("<thi", "nk>Hm.</think>", "\n\nHel", "lo!")], splitter.thoughts
    (['', '', 'Hel', 'lo!'], ['Hm.'])
    """

    def __init__(self) -> None:
        self.thoughts: list[str] = []
        self._thought: list[str] = []  # the current thought with its opening tag; empty between thoughts
        self._kept = ""  # half a token, to be continued
        self._held: list[str] = []  # text that is not returned yet: blanks before the first word
        self._line = ""  # the end of the last line so far
        self._has_words = self._in_code = self._names_tags = False

    def feed(self, piece: str, is_last: bool = False) -> str:
        """Take a piece and return its text without thoughts. Keep back an end that may be the start of a token."""
        text = self._kept + piece
        unfinished = None if is_last else _UNFINISHED.search(text, max(len(text) - 160, 0))  # no token is longer
        end = unfinished.start() if unfinished else len(text)
        self._kept = text[end:]
        at = 0
        for token in _TOKEN.finditer(text, 0, end):
            self._read(text[at : token.start()])
            self._read_token(token[0], str(token.lastgroup))
            at = token.end()
        self._read(text[at:end])
        if is_last and not self._has_words and self._thought:  # the model was cut off
            self._end_thought(self._thought[1:])
        if not (is_last or self._has_words):
            return ""
        said, self._held = self._held, []
        return "".join(said + self._thought if is_last else said)  # a tag that is never closed was only mentioned

    def _read(self, text: str) -> None:
        if self._thought:
            self._thought.append(text)
            return
        self._held.append(text if self._has_words or not self.thoughts else text.lstrip())
        self._line = (self._line + text)[-80:].rpartition("\n")[2]
        self._has_words = self._has_words or bool(text.strip())

    def _read_token(self, token: str, kind: str) -> None:
        begins_line = not self._line.strip(" \t\ufeff\u200b\u2060")
        if self._thought and kind == "closing":
            self._end_thought(self._thought[1:])
        elif self._thought:
            self._read(token)
        elif kind == "fence" or self._in_code or self._line.endswith(("`", "'", '"', "“", "‘", "«")):
            self._in_code ^= kind == "fence" and begins_line
            self._read(token)
        elif kind == "closing" and not self._names_tags:  # everything before it was a thought
            self._has_words = False
            self._end_thought(self._held)
        elif kind == "opening" and begins_line:
            self._thought.append(token)
        elif kind != "special" or (self._has_words and not self.thoughts):
            self._names_tags = self._names_tags or kind != "special"
            self._read(token)

    def _end_thought(self, thought: list[str]) -> None:
        self.thoughts.append("".join(thought).strip())
        self._thought, self._line = [], ""
        if not self._has_words:
            self._held = []


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
    return splitter.feed(text, is_last=True), "\n\n".join(filter(None, splitter.thoughts))
