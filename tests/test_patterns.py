"""No text can freeze the process: each pattern of the package takes time in proportion to its text."""

import importlib
import pkgutil
import random
import re
import time
from collections.abc import Mapping

import pytest

import rlm_memory_core
from rlm_memory_core.repl import sandbox_errors

FACTOR = 4
LENGTHS = (100, 400, 4_000)
FAST = 0.002  # seconds: no pattern that grows faster than its text reads the longest one in less
MOST_GROWTH = 3.0  # times linear; a quadratic pattern grows by FACTOR times linear
ROUNDS = 3
CUT_BEFORE = {  # read texts of bounded length alone
    "offline.searching._TURN": "at most 16,000 characters of a tool's output",
    "offline.searching._NOWHERE": "at most 16,000 characters of a tool's output",
    "store.escaping._LATIN": "the names of characters, at most 100 characters",
    "models.wording._MARKUP": "at most 10,000 characters of an error",
}


def modules():
    """The modules of the package, but for the sandbox's sources, which run there, and the experiments' own."""
    for module in pkgutil.walk_packages(rlm_memory_core.__path__, "rlm_memory_core."):
        if not any(part in module.name for part in (".repl.stdlib.", ".experiments", "__main__")):
            yield importlib.import_module(module.name)


def patterns_in(value, depth=3):
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, (list, tuple, set, frozenset, Mapping)):
        for each in [*value, *(value.values() if isinstance(value, Mapping) else ())]:
            yield from patterns_in(each, depth - 1)


def collected():
    found = {}
    for module in modules():
        for name, value in vars(module).items():
            for pattern in patterns_in(value):
                found.setdefault(pattern, f"{module.__name__.removeprefix('rlm_memory_core.')}.{name}")
    for pattern in patterns_in(sandbox_errors._hints()):
        found.setdefault(pattern, "repl.sandbox_errors._hints")
    return {pattern: name for pattern, name in found.items() if isinstance(pattern.pattern, str)}


PATTERNS = collected()
UNITS = [
    " ", "\n", "\t", "\r\n", " \n", "\0", "\u200b", "\u3000", "a", "A1", "1", "12 ", "1,", "1.", "1-", "1/2/",
    "2023-", "ab ", "é", "ß", "猫", "\"", "'", "\" ", "\"a", "\"a \"", "“", "«»", "`", "```", "```\n", "``` ",
    "~~~\n", "(", ")", "()", "[", "]", "[[", "[a", "[]", "{", "}", "<", ">", "<a", "</", "< ", "<|", "|", " |",
    "\\", "\\\\", "\\<", "*", "_", "#", "-", "--", "- ", ".", "...", ". ", ",", ":", ": ", ";", "=", "@", "/", "//",
    "$", "%", "&", "+", "?", "!", "a.", "a:", "a b ", "@a", "://", "FINAL(", "[Turn 1]", "[Turn 1][user]: ",
    "[--- ", "<session>", "<output>", "<question>", "<think>", "<script", "<title>", "may ", "the ", "last ",
    "1 day ", "on the 1", "turn ", "turn 1", "ago", "of ", "sk-a", "Bearer ", "range(1, ", "module 'a", "is ",
    "you",
]  # fmt: skip


def prefixes(pattern):
    """Words and signs of the pattern itself, which reach deep into it."""
    words = re.findall(r"[A-Za-z]{2,}|\\?[^\w\s\\]", pattern.pattern)
    literal = " ".join(word.lstrip("\\") for word in words[:6])
    return {*(word.lstrip("\\") for word in words[:30]), literal, f"{literal} ", f"{literal}1"}


def texts(pattern):
    """Kinds of hostile texts, each as a function of its length."""
    rng = random.Random(1)
    units = [*UNITS, *sorted(prefixes(pattern))]
    mixed = ["".join(rng.choices(units, k=rng.randrange(2, 4))) for _ in range(20)]
    for unit in [*units, *mixed]:
        yield lambda length, unit=unit: (unit * (length // len(unit) + 1))[:length]
    heads = [
        '"',
        "[",
        "<",
        "`",
        "(",
        "|",
        "a",
        "1",
        "\n",
        "```",
        '"a"',
        "<think>",
        "FINAL(",
        "<session>\n",
        '- [Turn 1] "',
    ]
    for head in heads:
        for unit in (" ", "\n", "a", "1", '"', "(", "\\", "|", ".", "\u200b", "a ", '" '):
            for tail in ("", "!"):
                yield lambda length, head=head, unit=unit, tail=tail: head + unit * (length // len(unit)) + tail


def seconds(pattern, text):
    """How long the pattern takes to find all matches, and to match from the start: the least of some rounds."""
    least = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in pattern.finditer(text):
            pass
        pattern.fullmatch(text)
        least = min(least, time.process_time() - started)
        if least < FAST:
            break
    return least


def grows(pattern, make):
    """Whether the time grows faster than the text."""
    for length in LENGTHS:
        taken = seconds(pattern, make(length))
        if taken > FAST:
            return taken > MOST_GROWTH * FACTOR * max(seconds(pattern, make(length // FACTOR)), 1e-5)
    return False


def test_the_package_has_patterns_and_the_test_bites():
    assert len(PATTERNS) > 50
    for quadratic in (r"\s*:?\s*x", r'".*?"!', r"a*b", r"(\w+)\s*=$"):
        assert any(grows(re.compile(quadratic), make) for make in texts(re.compile(quadratic))), quadratic


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern",
    [pattern for pattern, name in PATTERNS.items() if name not in CUT_BEFORE],
    ids=lambda pattern: PATTERNS[pattern],
)
def test_a_pattern_takes_linear_time(pattern):
    assert not [make(60) for make in texts(pattern) if grows(pattern, make)]
