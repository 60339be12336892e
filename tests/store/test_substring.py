import itertools

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.store.substring import comparable

CONTENTS = [
    "My CAT is 100% cat_like.", "concatenate", "a\0b cat", "\0", "", "İzmir", "izmir", "IZMIR", "i\u0307", "300 \u212a",
    "Straße", "STRASSE", "ÉTÉ", "e\u0301te\u0301", "ΟΔΟΣ", "οδός", "猫はどこ", "кОт", "back\\slash", "tab\tnew\nline",
    "a_b%c", "axbxc", "'quoted\"", "ﬀ", "🦜 parrot", "dotless ı", "K and k", "cafe\u0301", "café", "don’t", "“so” – he",
    "１２３ ＡＢＣ", "ｶﾞﾗｽ", "ガラス", "한국어", "\u1112\u1161\u11ab", "5\u00a0km", "soft\u00adhyphen", "wait…", "قِطّة",
    "ไทย",
]  # fmt: skip
KEYWORDS = [
    "cat", "CAT", "", "%", "_", "t_l", "\\", "\0", "b c", "iz", "Iz", "İ", "i\u0307", "\u0307z", "k", "K", "\u212a",
    "ß", "sse", "é", "été", "E\u0301", "σ", "ς", "ΟΔΟΣ", "猫", "どこ", "кот", "КОТ", "back\\s", "\n", "xbx", "'q", "ﬀ",
    "🦜 P", "ı", "\ud800", "café", "CAFE\u0301", "don't", "don’t", '"so" - he', "12", "ａｂｃ", "ガ", "ﾗｽ", "한",
    "5 km", "softh", "t...", "قِط", "ไท", "’", "-", "é", "“", "说“",
]  # fmt: skip


@pytest.fixture(scope="module")
def mixed():
    with MemoryStore() as store:
        store.extend(("user", content) for content in CONTENTS)
        yield store


@pytest.mark.parametrize("keyword", KEYWORDS, ids=ascii)
def test_a_search_finds_what_a_comparison_of_all_contents_finds(mixed, keyword):
    expected = [content for content in CONTENTS if comparable(keyword) in comparable(content)]
    assert [turn.content for turn in mixed.search_history(keyword)] == expected


def test_every_short_piece_of_every_content_is_found_in_it_in_any_case(mixed):
    for place, content in enumerate(CONTENTS, 1):
        for start, size in itertools.product(range(len(content)), (1, 3)):
            part = content[start : start + size]
            if comparable(part) not in comparable(content):
                continue  # a mark without its letter
            assert place in [turn.index for turn in mixed.search_history(part.swapcase() if part.isascii() else part)]


@pytest.mark.parametrize(
    ("said", "sought"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("\u1ec7", "e\u0323\u0302"),
        ("it’s “so”", 'it\'s "so"'),
        ("１５：３０", "15:30"),
        ("ﾓﾁ", "モチ"),
        ("Straße", "STRASSE"),
        ("한", "\u1112\u1161\u11ab"),
        ("1\u202f000", "1 000"),
    ],
)
def test_what_looks_alike_is_found_in_either_form(said, sought):
    with MemoryStore() as store:
        store.extend([("user", f"x {said} y"), ("user", f"x {sought} y")])
        assert len(store.search_history(said)) == len(store.search_history(sought)) == 2


def test_no_keyword_takes_longer_than_its_first_letters():
    """A long keyword that nearly fits everywhere took the product of both lengths."""
    with MemoryStore() as store:
        store.extend([("user", "a" * 1_000_000), ("user", "猫" * 300_000), ("user", "a\u00e9" * 300_000)])
        assert not any(map(store.search_history, ("a" * 9_999 + "b", "猫" * 9_999 + "犬", "a\u00e9" * 5_000 + "b")))


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0344\u0323", "\u05b0\u05b9", "\U0001d165\u0301", "\u200d\u0334"])
def test_accents_without_end_take_linear_time(store, marks):
    store.add("user", "a" + marks * 200_000 + " cat")  # to order them all took minutes
    assert [turn.index for turn in store.search_history("cat")] == [1]
    assert comparable("e\u0301" * 50) == "é" * 50
