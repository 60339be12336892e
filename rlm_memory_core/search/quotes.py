"""Where the words of a quote stand in a text, whatever their case and what stands between them.

Time grows with the text and the quote, not with their product: what a sub-agent says it quotes must not hold up the
host. It does not know what a finding is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice

WORD = re.compile(r"[^\W_]+")
_MARK = "\0"  # no word holds it
_GAP = 12  # characters at most between two words in a row
_TRIES = 100  # places that are looked at for one run of words


class Words:
    """The words of a text.

    Args:
        content: Any text.

    >>> Words("So, my cat is called “Mochi”!").span([["my", "cat"], ["mochi"]], within=40)
    (4, 27)
    """

    def __init__(self, content: str) -> None:
        self._places = [match.span() for match in WORD.finditer(content)]
        words = [content[start:stop].lower() for start, stop in self._places]
        self._joined = _MARK + "".join(word + _MARK for word in words)
        self._offsets = list(accumulate((len(word) + 1 for word in words), initial=1))  # of each word in what is joined

    def span(self, parts: Sequence[Sequence[str]], within: int) -> tuple[int, int] | None:
        """Where the first of the parts begins and the last ends, in characters; None where they do not stand there.

        Args:
            parts: Runs of words, in small letters, that stand one after another; at least one, none empty.
            within: Characters at most from the end of one part to the end of the next.
        """
        for first, last in self._runs(parts[0], 0, len(self._places)):
            for part in parts[1:]:
                until = bisect_left(self._places, (self._places[last][1] + within,))
                last = next((end for _, end in self._runs(part, last + 1, until)), -1)
                if last < 0:
                    break
            else:
                return self._places[first][0], self._places[last][1]
        return None

    def _runs(self, words: Sequence[str], start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The numbers of the first and the last word of each run of these words, among those from start to stop."""
        for first in islice(self._found(words, start, stop), _TRIES):
            last = first + len(words) - 1
            if all(self._places[at + 1][0] - self._places[at][1] <= _GAP for at in range(first, last)):
                yield first, last

    def _found(self, words: Sequence[str], start: int, stop: int) -> Iterator[int]:
        sought = _MARK + _MARK.join(words) + _MARK
        at, end = self._offsets[start] - 1, self._offsets[stop]
        while (at := self._joined.find(sought, at, end)) >= 0:
            yield bisect_left(self._offsets, at + 1)
            at += 1
