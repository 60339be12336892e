import itertools

import pytest

from rlm_memory_core import MemoryStore

CONTENTS = [
    "My CAT is 100% cat_like.", "concatenate", "a\0b cat", "\0", "", "İzmir", "izmir", "IZMIR", "i\u0307", "300 \u212a",
    "Straße", "STRASSE", "ÉTÉ", "e\u0301te\u0301", "ΟΔΟΣ", "οδός", "猫はどこ", "кОт", "back\\slash", "tab\tnew\nline",
    "a_b%c", "axbxc", "'quoted\"", "ﬀ", "🦜 parrot", "dotless ı", "K and k",
]  # fmt: skip
KEYWORDS = [
    "cat", "CAT", "", "%", "_", "t_l", "\\", "\0", "b c", "iz", "Iz", "İ", "i\u0307", "\u0307z", "k", "K", "\u212a",
    "ß", "sse", "é", "été", "E\u0301", "σ", "ς", "ΟΔΟΣ", "猫", "どこ", "кот", "КОТ", "back\\s", "\n", "xbx", "'q", "ﬀ",
    "🦜 P", "ı", "\ud800",
]  # fmt: skip


@pytest.fixture(scope="module")
def mixed():
    with MemoryStore() as store:
        store.extend(("user", content) for content in CONTENTS)
        yield store


@pytest.mark.parametrize("keyword", KEYWORDS, ids=ascii)
def test_a_search_finds_what_a_comparison_in_small_letters_finds(mixed, keyword):
    expected = [content for content in CONTENTS if keyword.lower() in content.lower()]
    assert [turn.content for turn in mixed.search_history(keyword)] == expected


def test_every_short_piece_of_every_content_is_found_in_it_in_any_case(mixed):
    for place, content in enumerate(CONTENTS, 1):
        for start, size in itertools.product(range(len(content)), (1, 3)):
            part = content.lower()[start : start + size]
            assert place in [turn.index for turn in mixed.search_history(part.upper() if part.isascii() else part)]
