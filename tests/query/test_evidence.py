import pytest
from paper import PaperRLM

from rlm_memory_core import Answer, Evidence, MemoryStore, connect
from rlm_memory_core.query.evidence import quoted, supporting
from rlm_memory_core.views.answer import answer_html, answer_text


def found(*quotes, **fields):
    return tuple(Evidence(number, None, number, quote, "user", **fields) for number, quote in enumerate(quotes, 1))


@pytest.mark.parametrize(
    ("text", "quotes", "turns"),
    [
        ("I moved to Oslo. My cat is called Mochi.", ["I like cats.", "My cat is called *Mochi*!", "I moved to Oslo."],
         [2, 3]),  # quoted, whatever stands between the words
        ("It is Mochi.", ["I like it.", "My cat is called Mochi."], [2]),  # by its words
        ("Mochi and Rex", ["My cat is Mochi.", "I have a cat.", "My dog is Rex."], [1, 3]),
        ("one two three four five six seven eight nine ten eleven twelve",
         ["two three", f"{' '.join('one two three four five six seven eight nine ten eleven twelve'.split())} more"],
         [2, 1]),  # the heaviest first; the other is there as a whole
        ("I don't know", ["I don't know", "I know."], []),
        ("Yes, it is.", ["Yes", "it is"], []),
        ("5", ["I read a book.", "I read another."], []),
        ("", ["I read a book."], []),
    ],
)  # fmt: skip
def test_an_answer_stands_on_what_it_quotes_or_else_on_what_has_its_words(text, quotes, turns):
    answer = Answer(text, found(*quotes))
    on, others = supporting(answer.text, answer.evidence)
    assert [each.turn for each in on] == [each.turn for each in answer.standing_on()] == turns
    assert [each.turn for each in others] == [turn for turn in range(1, len(quotes) + 1) if turn not in turns]


def test_of_a_thousand_quotes_those_in_the_answer_are_shown_and_the_rest_below(parsed):
    with MemoryStore() as store:
        for day in range(300):
            store.start_session()
            store.extend([("user", f"On day {day} I read a book on birds number {day}."), ("assistant", "Nice.")])
        answer = PaperRLM(connect("offline", recorded="off")).query(store, "Which books on birds did I read?")
    assert len(answer.evidence) >= 300
    on = answer.standing_on()
    assert 1 <= len(on) <= 5
    assert all(each.quote in answer.text for each in on)
    html, text = answer_html(answer, opened=True), answer_text(answer)
    head, _, below = html.partition("Also found")
    for each in on:
        assert f"session {each.session} | turn {each.turn}" in head
        assert f"session {each.session} | turn {each.turn}\n" in text.partition("Also found")[0]
    assert head.count("<mark>") == len(on)
    assert below.count("<mark>") == 10
    left_out = f"and {len(answer.evidence) - len(on) - 10} more in"
    assert left_out in parsed(html).text
    assert left_out in text


def test_where_it_stands_on_nothing_what_was_found_is_shown(parsed):
    answer = Answer("5", found("I read a book."))
    assert "It stands on" not in answer._repr_html_()
    assert "Found" in parsed(answer._repr_html_()).text
    assert answer_text(answer).startswith('5\n\nFound:\n  session 1 | turn 1\n    "I read a book.": user\n')


def test_long_texts_are_compared_at_once():
    answer = Answer("a b c " * 1_000_000, found(*["a b c " * 300] * 300, "x " * 1_000_000))
    assert len(answer.standing_on()) == 300  # minutes, if all of the answer were looked at


def test_an_answer_without_citations_is_compared_with_so_many_sentences_of_a_huge_turn():
    store = MemoryStore()
    store.extend([("user", f"My cat is called Mochi. {'It rains. ' * 1_000_000}"), ("user", "She is old.")])
    (evidence,) = quoted("Mochi", list(store.turns), store)
    assert (evidence.turn, evidence.quote) == (1, "My cat is called Mochi.")
