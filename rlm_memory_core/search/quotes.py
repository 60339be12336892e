"""Finds the words of a quote in a text, ignoring case, punctuation and how characters are composed.

The time grows with the text plus the quote, not with their product: no quote of a sub-agent can block the host.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from .words import exact_words

_MARK = "\0"  # in no word
_GAP = 12  # most characters between two adjacent words
_TRIES = 100  # places that are checked for one quote


def quoted_words(quote: str) -> list[str]:
    """The words of a quote, in the form in which `Words` compares them.

    >>> quoted_words("My cat’s café")
    ['my', 'cat', 's', 'café']
    """
    return exact_words(quote)[0]


class Words:
    """The words of a text.

    Args:
        content: Any text.

    >>> Words("So, my cat is called “Mochi”!").span([["my", "cat"], ["mochi"]], within=40)
    (4, 27)
    """

    def __init__(self, content: str) -> None:
        words, self._places = exact_words(content)
        self._joined = _MARK + "".join(word + _MARK for word in words)
        gaps = (after - before > _GAP for (_, before), (after, _) in pairwise(self._places))
        self._gaps = list(accumulate(gaps, initial=0))  # before each word
        self._offsets = list(accumulate((len(word) + 1 for word in words), initial=1))  # of each word in _joined

    def span(self, parts: Sequence[Sequence[str]], within: int) -> tuple[int, int] | None:
        """Find parts of a quote that follow one another.

        Args:
            parts: Runs of words, as `quoted_words` returns them; at least one, none empty.
            within: Most characters from the end of one part to the end of the next.

        Returns:
            Where the first part begins and the last one ends, in characters; None if they are not found.
        """
        tries = iter(range(_TRIES))
        for first, last in self._runs(parts[0], 0, len(self._places), tries):
            for part in parts[1:]:
                until = bisect_left(self._places, (self._places[last][1] + within,))
                last = next((end for _, end in self._runs(part, last + 1, until, tries)), -1)
                if last < 0:
                    break
            else:
                return self._places[first][0], self._places[last][1]
        return None

    def _runs(self, words: Sequence[str], start: int, stop: int, tries: Iterator[int]) -> Iterator[tuple[int, int]]:
        """The first and the last word number of each run of these words, from word number start to stop."""
        for first, _ in zip(self._found(words, start, stop), tries, strict=False):
            last = first + len(words) - 1
            if self._gaps[first] == self._gaps[last]:
                yield first, last

    def _found(self, words: Sequence[str], start: int, stop: int) -> Iterator[int]:
        sought = _MARK + _MARK.join(words) + _MARK
        at, end = self._offsets[start] - 1, self._offsets[stop]
        while (at := self._joined.find(sought, at, end)) >= 0:
            yield bisect_left(self._offsets, at + 1)
            at += 1
