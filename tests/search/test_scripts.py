"""Digits, vowel signs and letters of further scripts: what is the same for readers is the same in search and quotes."""

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.query.evidence import Evidence, look_up
from rlm_memory_core.search import rank_sessions
from rlm_memory_core.search.words import content_words

QUOTES = [
    ("جواز سفري ينتهي في مارس ٢٠٢٦.", "مارس 2026"),
    ("نجحت عمليّةُ القلب لجدّي.", "عملية القلب"),
    ("बेटी का जन्मदिन १२ जून को है।", "जन्मदिन 12 जून"),
    ("ลูกสาวเกิดวันที่ ๑๒ มิถุนายน", "วันที่ 12 มิถุนายน"),
    ("שֵׁם הַכֶּלֶב שֶׁלִּי מוקה.", "שם הכלב שלי"),
    ("CÜZDANI İZMİR garında kaybettim.", "cüzdanı İzmir garında"),
    ("Έχασα το ΠΟΡΤΟΦΟΛΙ στον σταθμό.", "πορτοφόλι στον σταθμό"),
    ("Je suis allergique aux œufs.", "allergique aux oeufs"),
    ("Брат живёт в Омске.", "брат живет в Омске"),
    ("ชอบดื่มน\u0e4d\u0e49\u0e32มะพร้าว", "ดื่มน\u0e49\u0e33มะพร้าว"),
]


@pytest.mark.parametrize(("said", "quote"), QUOTES, ids=lambda text: ascii(text)[:20])
def test_a_true_quote_in_other_signs_is_found_and_given_as_it_was_said(said, quote):
    store = MemoryStore()
    store.add("user", said)
    found = look_up(Evidence(None, None, None, quote), store.turns)
    assert found is not None
    assert found.quote.strip(".") in said
    assert look_up(Evidence(None, None, None, f"{quote} x"), store.turns) is None


@pytest.mark.parametrize(
    ("question", "said", "others"),
    [
        ("Tôi sợ con gì?", "Tôi sợ rắn từ nhỏ.", ["Tôi muốn đổi việc.", "Tôi đang học đàn."]),
        ("איך קוראים למלון שהזמנתי?", "הזמנתי את מלון הזית.", ["הסרט היה ארוך מדי.", "קו האוטובוס השתנה."]),
        ("Où habite ma sœur ?", "Ma soeur habite à Lyon.", ["Il pleut ici.", "Le film était long."]),
    ],
)
def test_questions_find_their_session(question, said, others):
    for where in range(12):
        with MemoryStore() as store:
            for number in range(12):
                store.start_session()
                store.add("user", said if number == where else others[number % len(others)])
            assert rank_sessions(store, question)[0] == where


def test_a_word_with_accents_is_no_function_word_of_english():
    assert content_words("Tôi sợ") == ["toi", "so"]
    assert content_words("I am so afraid") == ["afraid"]


def test_a_keyword_is_found_whatever_the_digits():
    store = MemoryStore()
    store.add("user", "رقمي ٤٢")
    store.add("user", "num ４２")
    assert len(store.search_history("42")) == 2
