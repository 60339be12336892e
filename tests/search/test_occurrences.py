import random
import re

import pytest

from rlm_memory_core.query.evidence import Evidence, look_up
from rlm_memory_core.search.occurrences import Words, occurrences
from rlm_memory_core.search.words import located
from rlm_memory_core.store.turns import Turn

SIGNS = (" ", ", ", "-", " _ ", "...", "\n", " " * 13)


def by_pattern(content, words):
    """The same by one regular expression, whose time grows with the product."""
    between = r"[\W_]+".join(map(re.escape, words))
    found = re.search(rf"(?<![^\W_]){between}(?![^\W_])", content, re.I)
    return found.span() if found else None


def test_a_run_of_words_is_found_where_a_pattern_finds_it():
    rng = random.Random(1)
    hits = 0
    for _ in range(2_000):
        content = "".join(rng.choice("abAB") + rng.choice(SIGNS) for _ in range(rng.randint(1, 25)))
        words = rng.choices("ab", k=rng.randint(1, 4))
        expected = by_pattern(content, words)
        assert Words(content).span([words], within=100) == expected, (content, words)
        hits += expected is not None
    assert 500 < hits < 2_000


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([["my", "cat"], ["mochi"]], (0, 22)),
        ([["mochi"], ["my", "cat"]], None),  # in their order
        ([["my", "cat"], ["rex"]], None),  # within so many characters
        ([["cat"], ["cat"]], None),
        ([["ca"]], None),  # whole words
    ],
)
def test_parts_stand_one_after_another(parts, expected):
    content = "My cat is called Mochi" + " and so on" * 5 + ", and my dog is Rex."
    assert Words(content).span(parts, within=30) == expected


def test_a_text_without_words_holds_none():
    assert Words("... !").span([["a"]], within=10) is None


def test_many_long_quotes_of_a_text_that_nearly_holds_them_are_looked_up_in_no_time():
    """By one pattern a quote, each took seconds, and all of them minutes."""
    turns = [Turn(1, 1, "user", "a " * 50_000, "")]
    quotes = [Evidence(1, None, 1, "a " * 900 + f"b{number}") for number in range(4)]
    assert [look_up(quote, turns) for quote in quotes] == [None] * 4


@pytest.mark.parametrize("parts", [["a", "a " * 300], ["a a", "a " * 250, "b"], ["a", "a", "a " * 400]])
def test_runs_that_nearly_match_take_bounded_time(parts):
    turns = [Turn(1, 1, "user", ("a " * 299 + ". " * 10) * 60, "")]
    claims = [Evidence(1, None, 1, f"{' ... '.join(parts)}{number}") for number in range(300)]
    assert [look_up(claim, turns) for claim in claims] == [None] * 300


def test_only_so_many_places_of_each_word_are_kept():
    """A rare word is found wherever it stands."""
    text = f"{'cats and dogs, ' * 5_000}{'кошка ' * 5_000}Mochi, a cat, and Möhre."
    (found,) = occurrences(["cat", "dog", "кошка", "mochi", "mohre"], [text])
    words = [word for *_, word in found]
    assert [words.count(word) for word in ("cat", "dog", "кошка", "mochi", "mohre")] == [300, 300, 300, 1, 1]
    assert found[-2][:2] == (text.index("Mochi"), text.index("Mochi") + 5)


@pytest.mark.parametrize("text", ["In İZMİR: İzmir, izmir.", "İİ izmir", "izmirİ", "K izmir \u212a", "ſizmir izmir"])
def test_places_are_right_beside_letters_whose_case_changes_length_or_alphabet(text):
    found = occurrences(["izmir"], [text])[0]
    assert found == sorted((at, end, "izmir") for form, at, end in located(text) if form == "izmir")
