import pickle
import re

import pytest

from rlm_memory_core import Answer, Coverage, Evidence, MemoryRLM, MemoryStore, Reading, Usage, connect
from rlm_memory_core.views.answer import answer_html, answer_text


@pytest.fixture
def answer(call, trace):
    """An answer with one quote; any field can be given."""

    def build(**changes):
        calls = changes.pop("calls", (call(),))
        fields = {
            "text": "Mochi",
            "evidence": (Evidence(1, "2023/05/20 (Sat) 02:21", 1, "called Mochi", "the cat's name"),),
            "coverage": Coverage.of(calls),
            "usage": Usage(210, 21, 3),
            "cost_usd": 0.021,
            "seconds": 3.6,
            "trace": trace(*calls),
        }
        return Answer(**fields | changes)

    return build


def test_a_notebook_shows_answer_evidence_coverage_and_what_it_took(answer, parsed):
    text = parsed(answer()._repr_html_()).text
    for said in ("Mochi", "session 1 | 2023/05/20 (Sat) 02:21 | turn 1", "called Mochi", "the cat's name",
                 "asked 1 sub-agent: 1 found something", "3 calls, 231 tokens, $0.021", "3.6 s"):  # fmt: skip
        assert said in text
    assert "Got it." not in text


def test_shown_it_opens_the_turns_in_place_with_the_quote_marked(answer, parsed):
    html = answer_html(answer(), opened=True)
    page = parsed(html)
    assert "My cat is <mark>called Mochi</mark>." in html
    assert ("details", "open", None) in page.attributes
    assert "turn 2 · assistantGot it." in page.text


def test_show_prints_the_same_in_a_terminal(answer, capsys):
    answer().show()
    printed = capsys.readouterr().out
    assert printed == answer_text(answer()) + "\n"
    assert printed.splitlines()[:6] == [
        "Mochi",
        "",
        "session 1 | 2023/05/20 (Sat) 02:21 | turn 1",
        '  "called Mochi": the cat\'s name',
        "  > [Turn 1][user]: My cat is >>called Mochi<<.",
        "    [Turn 2][assistant]: Got it.",
    ]
    assert printed.splitlines()[-1] == "3 calls, 231 tokens, $0.021 [3.6 s]"


def test_a_query_that_ended_early_says_so(answer, parsed):
    ended = answer(text="", error="the budget of $1.00 is spent")
    page = parsed(ended._repr_html_())
    assert "Ended early: the budget of $1.00 is spent" in page.text
    assert ("div", "class", "rlm-error") in page.attributes
    assert "(ended early: the budget of $1.00 is spent)" in answer_text(ended)
    assert "the budget of $1.00 is spent" in repr(ended)


def test_false_quotes_and_failed_sub_agents_are_told(answer, call, parsed):
    page = parsed(answer(false_quotes=2, calls=(call(reply="", error="no answer"),))._repr_html_())
    assert "2 quotes of sub-agents were not in the session, and left out" in page.text
    assert ("span", "class", "rlm-failed") in page.attributes


def test_many_pieces_of_evidence_are_cut_and_counted(answer, call, parsed):
    evidence = tuple(Evidence(number, None, None, "", "x" * 100_000) for number in range(1, 501))
    shown = answer(evidence=evidence)
    assert "and 480 more in answer.evidence" in parsed(shown._repr_html_()).text
    assert "and 480 more in answer.evidence" in answer_text(shown)
    assert len(shown._repr_html_()) < 50_000
    assert parsed(shown._repr_html_()).attributes.count(("div", "class", "rlm-item")) == 20


def test_sizes_are_bounded_whatever_was_said(answer, call):
    line = "<&" * 5_000_000
    turns = "\n".join(f"[Turn {number}][user]: {line}called Mochi{line}" for number in (1, 2))
    shown = answer(text=line, error=line, calls=(call(session=turns),))
    assert "<mark>called Mochi</mark>" in answer_html(shown, opened=True)
    assert len(answer_html(shown, opened=True)) < 80_000
    assert len(answer_text(shown)) < 20_000
    assert len(repr(answer(text=line))) < 500


def test_nothing_that_was_said_becomes_part_of_the_page(answer, call, parsed, hostile):
    turns = f"[Turn 1][user]: {hostile} called Mochi {hostile}"
    evidence = (Evidence(1, hostile, 1, f"called Mochi {hostile}", hostile), Evidence(None, None, None, "", hostile))
    shown = answer(text=hostile, error=hostile, evidence=evidence, calls=(call(session=turns),))
    for html in (shown._repr_html_(), answer_html(shown, opened=True)):
        page = parsed(html)
        assert not {"script", "img"} & set(page.tags)
        assert not re.search("[\u202e\x1b]", html)
    assert "mark" in page.tags
    assert not re.search("[\u202e\x1b]", answer_text(shown))


def test_words_from_right_to_left_are_kept_apart_from_what_is_around_them(answer):
    html = answer(text="החתול שלי")._repr_html_()
    assert '<div class="rlm-answer rlm-text" dir="auto">החתול שלי</div>' in html


def test_a_real_answer_shows_its_turns_after_pickling_and_without_its_store(parsed):
    with MemoryStore() as store:
        store.start_session("2023/05/20 (Sat) 02:21")
        store.extend([("user", "Hello."), ("assistant", "Hi."), ("user", "[Turn 9][user]: My cat is called Mochi.")])
        engine = MemoryRLM(connect("offline", recorded="off"), reading=Reading("paper"))
        answer = engine.query(store, "What is my cat called?")
    copy = pickle.loads(pickle.dumps(answer))
    html = answer_html(copy, opened=True)
    assert re.search(r"<mark>[^<]*Mochi", html)
    assert "turn 1 · userHello." in parsed(html).text


def test_an_answer_without_evidence_can_be_shown(parsed):
    assert "It stands on" not in parsed(Answer("I don't know")._repr_html_()).text
    assert answer_text(Answer("I don't know", seconds=0.2)) == "I don't know\n\n0 calls, 0 tokens, $0 [200 ms]"


def test_a_text_that_only_names_the_turns_role_is_not_shown_twice(answer, parsed):
    told = answer(evidence=(Evidence(1, None, 1, "called Mochi", "user"),))
    assert parsed(answer_html(told, opened=True)).text.count("user") == 1
    assert '"called Mochi": user' not in answer_text(told)


def test_with_the_history_each_quote_is_shown_among_its_turns(capsys):
    store = MemoryStore()
    store.extend([("user", "It rains."), ("user", "My cat is called Mochi."), ("assistant", "A fine name.")])
    store.start_session()
    store.add("user", "Another day.")
    found = Evidence(1, None, 2, "called Mochi", "")
    Answer("Mochi", (found,)).show(store)
    printed = capsys.readouterr().out
    assert "It rains." in printed
    assert "A fine name." in printed
    assert "Another day." not in printed
