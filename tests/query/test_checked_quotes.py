import asyncio
import random
from collections import namedtuple
from functools import lru_cache

import pytest
from paper import PaperRLM

from rlm_memory_core import Turn, connect
from rlm_memory_core.models import background
from rlm_memory_core.query import evidence
from rlm_memory_core.query.evidence import Evidence, look_up
from rlm_memory_core.query.search_tools import SearchTools
from rlm_memory_core.query.subagents import SubAgents
from rlm_memory_core.search.occurrences import Words
from rlm_memory_core.search.word_index import Piece

Checked = namedtuple("Checked", "text findings false_quotes", defaults=((), 0))


def check_reply(*given):
    return Checked(*evidence.check_reply(*given))


def claim(quote, text="", turn=None):
    return Evidence(3, None, turn, quote, text)


def checked(claims, turns):
    """The claims that are there, and how many are not."""
    stored = [look_up(each, turns) for each in claims]
    return [each for each in stored if each], stored.count(None)


CAT = claim("My cat is called Mochi.", "the cat's name", 12)
TURNS = [
    Turn(11, 3, "user", "Hello! It’s me.\nI paid $1,200.50 for   the *walnut* desk -- too much?", ""),
    Turn(12, 3, "user", "My cat is called Mochi. She is 3.", ""),
    Turn(13, 3, "assistant", "A cat called “Mochi”! And snake\\_case, Straße, été, ДОМ.", ""),
]


@pytest.mark.parametrize(
    "line",
    ["- [Turn 12] \"My cat is called Mochi.\": the cat's name", "* Turn 12: “My cat is called Mochi.” — the cat's name",
     "1. [Turn 12][user]: \"My cat is called Mochi.\" - the cat's name",
     "[Turn 12] «My cat is called Mochi.»: the cat's name",
     "**Turn #12** „My cat is called Mochi.“: the cat's name", "\"My cat is called Mochi.\" [Turn 12]: the cat's name"],
)  # fmt: skip
def test_lines_of_many_forms_are_read(line):
    (finding,) = check_reply(f"Here is what I found:\n\n{line}\n", TURNS).findings
    assert (finding.quote, finding.turn) == (CAT.quote, 12)
    assert "the cat's name" in finding.text


@pytest.mark.parametrize(
    "reply",
    ['{"turn": 12, "quote": "My cat is called Mochi.", "text": "the cat\'s name"}',
     '[{"turn": "Turn 12", "quote": "My cat is called Mochi.", "fact": "the cat\'s name"}]',
     '```json\n{"findings": [{"turn": 12, "quote": "My cat is called Mochi.", "value": "the cat\'s name"}]}\n```'],
)  # fmt: skip
def test_json_is_text_without_a_finding(reply):
    assert check_reply(reply, TURNS) == Checked(reply)


@pytest.mark.parametrize(
    "reply", ["", "The cat is called Mochi.", "It's the user's cat.", '"', "[1, 2]", "{broken",
     '[{"turn": 1}]', "[Turn 12]"]
)  # fmt: skip
def test_plain_text_holds_no_finding(reply):
    assert check_reply(reply, TURNS) == Checked(reply)


def test_quotes_within_a_quote_stay_in_it():
    turns = [Turn(3, 1, "user", 'He said "hi" to me.', "")]
    (finding,) = check_reply('- [Turn 3] "He said "hi" to me": a greeting, "hi"', turns).findings
    assert (finding.quote, finding.text, finding.turn) == ('He said "hi" to me', 'a greeting, "hi"', 3)


@pytest.mark.parametrize(
    ("quote", "turn", "stored"),
    [("My cat is called Mochi.", 12, "My cat is called Mochi."),
     ("my CAT is called mochi", 12, "My cat is called Mochi."),
     ("It's me", 11, "It’s me."),
     ("I paid $1,200.50 for the walnut desk", 11, "I paid $1,200.50 for   the *walnut* desk"),
     ('a cat called "Mochi"', 13, "A cat called “Mochi”!"),
     ("snake_case", 13, "snake\\_case,"), ("straße", 13, "Straße,"),
     ("дом", 13, "ДОМ."), ("Hello ... walnut desk", 11, None),
     ("My cat ... is 3", 12, "My cat is called Mochi. She is 3.")],
)  # fmt: skip
def test_a_quote_comes_back_as_it_stands_in_its_turn(quote, turn, stored):
    (finding,), dropped = checked([claim(quote, turn=turn)], TURNS)
    content = TURNS[turn - 11].content
    assert finding.quote in content
    assert dropped == 0
    assert stored is None or finding.quote == stored


def test_a_wrong_number_is_put_right_and_a_missing_one_found():
    for turn in (1, 11, 13, None):
        assert checked([claim(CAT.quote, CAT.text, turn)], TURNS) == ([CAT], 0)


@pytest.mark.parametrize(
    "quote",
    ["My dog is called Mochi.", "My cat called Mochi", "y cat called", "", "...", "?!", "x" * 9000, ".*",
     "called Mochi My",
     "My cat is called Mochi. I paid", "cat ... called ... Mochi ... is", "Mochi is called", "1.200 50 desk"],
)  # fmt: skip
def test_what_is_not_there_is_dropped_and_counted(quote):
    assert checked([claim(quote), CAT], TURNS) == ([CAT], 1)


def test_whatever_is_kept_is_verbatim():
    rng = random.Random(3)
    pieces = [*"aAbB .,-\n\"'“_*\\$1", "..."]
    found = 0
    for _ in range(3000):
        turns = [Turn(n, 1, "user", "".join(rng.choices(pieces, k=20)), "") for n in (1, 2)]
        quotes = [claim("".join(rng.choices(pieces, k=rng.randrange(1, 6))), turn=1) for _ in range(3)]
        kept, dropped = checked(quotes, turns)
        assert len(kept) + dropped == 3
        assert all(finding.quote in turns[finding.turn - 1].content for finding in kept)
        found += len(kept)
    assert found > 500


def test_a_false_quote_is_taken_out_of_the_reply_and_the_rest_kept():
    reply = '- [Turn 12] "My cat is called Mochi.": a name\n- [Turn 12] "My dog is called Rex.": another\nThat is all.'
    assert check_reply(reply, TURNS).text == (
        '- [Turn 12] "My cat is called Mochi.": a name\n- [Turn 12] (a quote that is not in the session): another\n'
        "That is all."
    )


def test_odd_replies_are_read_in_one_go():
    for text in ('"' * 20_000, '"a ' * 9000, "[" * 20_000, '"a..." ' * 3000, "turn " * 9000 + '"a"'):
        check_reply(text, TURNS)


def ask(diary, root_and_subagents, reply, code="print(llm_query_parallel(sessions, session_dates, question))"):
    llm = root_and_subagents(
        [f"```repl\n{code}\n```", "FINAL(x)"], lambda prompt: reply if "Mochi" in prompt else "NOT_FOUND"
    )
    return PaperRLM(llm).query(diary, "Who?")


@pytest.mark.parametrize(
    "code", ["print(llm_query_parallel(sessions))", "print([llm_query(session_prompt(s)) for s in sessions])"]
)
def test_evidence_lists_session_turn_and_quote_and_the_root_sees_no_false_one(
    diary, root_and_subagents, scripted, code
):
    reply = '- [Turn 9] "my cat is called Mochi": the cat\n- [Turn 1] "My dog is called Rex.": the dog'
    answer = ask(diary, root_and_subagents, reply, code)
    (evidence,) = answer.evidence
    assert (evidence.session, evidence.turn, evidence.quote, evidence.text) == (
        1,
        1,
        "My cat is called Mochi.",
        "the cat",
    )
    assert evidence.date == "2023/05/20 (Sat) 02:21"
    assert answer.false_quotes == 1
    shown = scripted.conversation[-1]["content"]
    assert "Rex" not in shown
    assert "my cat is called Mochi" in shown
    assert "a quote that is not in the session" in shown


def test_a_quote_of_another_session_is_false(diary, root_and_subagents):
    answer = ask(diary, root_and_subagents, '- [Turn 3] "I bought a red bicycle.": a bicycle')
    assert (answer.evidence, answer.false_quotes) == ((), 1)


def test_a_reply_without_quotes_is_evidence_without_one(diary, root_and_subagents):
    (evidence,) = ask(diary, root_and_subagents, "The cat is Mochi.").evidence
    assert (evidence.session, evidence.turn, evidence.quote, evidence.text) == (1, None, "", "The cat is Mochi.")


def test_the_offline_reader_quotes_what_is_stored(diary):
    diary.add(
        "user", 'My brother said: "My cat is *not* called Mochi"; here is a list:\n1. **Mochi** the cat\n2. a cat'
    )
    answer = PaperRLM(connect("offline", recorded="off")).query(diary, "What is my cat called?")
    contents = {turn.index: turn.content for turn in diary.turns}
    assert len(answer.evidence) >= 3
    assert answer.false_quotes == 0
    assert all(evidence.quote and evidence.quote in contents[evidence.turn] for evidence in answer.evidence)


def test_a_quote_that_leaves_much_out_is_looked_up_at_once():
    turns = [Turn(1, 1, "user", "a b " * 10_000, "")]
    assert checked([claim("a ... b ... zzz", turn=1)], turns) == ([], 1)  # by one pattern for all parts: minutes
    assert checked([claim("a ... b", turn=1)], turns)[1] == 0


CONFIG = 'My config is {"cat": "Mochi", "dog": "Rex"} for the pets.'


@pytest.mark.parametrize(
    ("line", "quote", "text"),
    [
        (f'"{CONFIG}": user', CONFIG, "user"),
        (f'"{CONFIG}": she says "pets": all', CONFIG, 'she says "pets": all'),
        ('"config is {"cat": "Mochi", "dog"": the keys', 'config is {"cat": "Mochi", "dog"', "the keys"),
        ('"My config is {"cat": "Kiwi"": false', 'My config is {"cat', "false"),  # the longest that is there
        ('"My house": "Kiwi": false', None, None),
    ],
)
def test_a_quote_that_holds_marks_is_as_long_as_it_is_there(line, quote, text):
    turns = [Turn(1, 1, "user", CONFIG, "")]
    told = check_reply(f"- [Turn 1] {line}", turns)
    if quote is None:
        assert (told.findings, told.text) == ((), '- [Turn 1] (a quote that is not in the session): "Kiwi": false')
    else:
        (finding,) = told.findings
        assert finding.quote == quote
        assert finding.text.endswith(text)
        assert told.text == f"- [Turn 1] {line}"


def test_the_offline_reader_quotes_json_whole(diary):
    diary.add("user", CONFIG)
    answer = PaperRLM(connect("offline", recorded="off")).query(diary, "What is in my config for the pets?")
    assert CONFIG in [evidence.quote for evidence in answer.evidence]
    assert answer.false_quotes == 0
    assert CONFIG in answer.text


@pytest.mark.parametrize(
    "reply",
    ['- [Turn 1] "a": ' + '"a ' * 2_000, '- "a' + '": "a' * 1_500 + '": b', '"a":' * 9_000,
     '- "' + 'a": "' * 300 + 'zzz": so'],
)  # fmt: skip
def test_many_marks_are_tried_within_bounds(reply):
    turns = [Turn(number, 1, "user", "a " * 20_000, "") for number in (1, 2)]
    for finding in check_reply(reply, turns).findings:
        assert len(finding.quote) <= 2_000


ODD_REPLIES = [
    '[{"quote": ' + "[" * 3_000,
    '{"quote": ' * 3_000,
    "[" * 100_000,
    '[{"quote": "My cat is called Mochi.", "turn": ' + "1" * 5_000 + "}]",
    '[{"quote": {"a": ["My cat"]}, "turn": [1, 2]}, {"quote": 5}, {"quote": true, "text": {"a": {}}}]',
    "- [Turn " + "1" * 5_000 + '] "My dog is called Rex.": a dog',
    '- [Turn ٣] "My dog is called Rex.": a dog',
    '- [Turn 1] "My dog": ' + "9" * 5_000 + " | 1 | x",
    '- "My dog' + " " * 3_000 + '": x',
    '- "My dog"' + " " * 50_000 + "| | x",
    '- "My dog": ' + "| " * 50_000,
    "\ud800" * 10 + '"My dog": \0',
    '"' * 64_000,
    '"a' * 32_000,
    ('"a" ' * 200 + "\n") * 200,
    "[Turn 1] " * 10_000 + '"My dog"',
    "```json\n" * 5_000,
    "```" + " " * 50_000 + "```",
    '{"findings": [{"quote": "My dog", "text": ' + "[" * 900 + "]" * 900 + "}]}",
    '{"a": [[[1]]], "b": NaN, "c": 1e999}',
    "..." * 20_000 + '"... ... ..."',
]


@pytest.mark.parametrize("reply", ODD_REPLIES, ids=lambda reply: reply[:20])
def test_an_odd_reply_costs_its_own_finding_alone(reply, diary, root_and_subagents):
    good = '- [Turn 1] "My cat is called Mochi.": a cat'
    for odd in (reply, f"{reply}\n{good}", f"{good}\n{reply}"):
        extract = check_reply(odd, TURNS)
        assert len(extract.findings) <= 1 + odd.count("My cat")
    replies = {"Mochi": good}
    llm = root_and_subagents(
        ["```repl\nprint(llm_query_parallel(sessions, session_dates, question))\n```", "FINAL(x)"],
        lambda prompt: next((said for name, said in replies.items() if name in prompt), reply),
    )
    answer = PaperRLM(llm).query(diary, "Who?")
    assert answer.text == "x"
    assert "My cat is called Mochi." in [found.quote for found in answer.evidence]


def test_of_thousands_of_quotes_some_hundreds_are_looked_up_and_the_rest_counted():
    found = check_reply('"My cat is called Mochi."\n' * 5_000, TURNS)
    assert len(found.findings) + found.false_quotes == 5_000
    assert len(found.findings) == 300


@pytest.mark.parametrize("depth", [10, 300, 900, 980, 1_100, 30_000])
@pytest.mark.parametrize("brackets", ["[]", '{"a": }'])
def test_json_of_any_depth_is_text(depth, brackets):
    opening, closing = brackets[:-1], brackets[-1]
    inner = '{"quote": "My dog is called Rex."}'
    check_reply(opening * depth + inner + closing * depth, TURNS)
    check_reply(opening * depth + inner, TURNS)
    check_reply('{"quote": "My dog is called Rex.", "text": ' + opening * depth + "1" + closing * depth + "}", TURNS)


@pytest.mark.parametrize("length", [2_000, 32_000])
@pytest.mark.parametrize(
    "unit",
    ['"', '" ', '": "', "“a” ", "- [Turn 1] ", "turn 1 ", '"a":\n', "|", "\t", "\u2028", "```", '{"quote":', "[{"],
)
def test_long_replies_of_one_sign_cost_at_most_their_own_findings(unit, length):
    found = check_reply((unit * length)[:length], TURNS)
    assert len(found.findings) <= 300


LONG = "Ein schöner Satz über Käse, dann noch einer. " * 3_000


@pytest.fixture
def folds(monkeypatch):
    """The texts whose words are taken apart, in order."""
    texts = []
    monkeypatch.setattr(evidence, "_words", lru_cache(lambda content: texts.append(content) or Words(content)))
    return texts


def test_a_long_turn_is_taken_apart_once_for_all_replies_of_a_query(folds, scripted):
    turn = Turn(7, 2, "user", f"{LONG} Mein Kater heißt Möhre.", "")
    replies = [f'- [Turn 7] "MEIN KATER HEISST MÖHRE": {n}\n- "nicht gesagt {n}"' for n in range(5)]
    agents = SubAgents(scripted(replies), asyncio.Semaphore(5))
    piece = Piece(2, None, "a part of it", (turn,))
    calls = background.run(agents.ask_all([(f"prompt {n}", piece) for n in range(5)]))
    assert [turn.content.endswith(block) for block in folds] == [True]
    assert [[found.quote for found in call.evidence] for call in calls] == [["Mein Kater heißt Möhre."]] * 5
    assert [call.false_quotes for call in calls] == [1] * 5


def test_a_long_turn_is_taken_apart_once_for_all_citations(folds, store):
    store.extend([("user", f"{LONG} Mein Kater heißt Möhre."), ("user", "Ja.")])
    tools = SearchTools(store, "Wie heißt mein Kater?", None)
    assert [tools.cite(1, words) for words in ("mein kater", "HEISST MÖHRE")] == ["cited turn 1"] * 2
    for number in range(5):
        with pytest.raises(ValueError, match="turn 1 does not say"):
            tools.cite(1, f"nicht gesagt {number}")
    assert (len(folds), [found.quote for found in tools.cited]) == (1, ["Mein Kater", "heißt Möhre."])


def test_nothing_is_taken_apart_for_quotes_that_are_there_word_for_word(folds):
    turns = [Turn(1, 1, "user", LONG, ""), Turn(2, 1, "user", "Das hier.", "")]
    found = check_reply('- [Turn 1] "Ein schöner Satz über Käse"\n- [Turn 2] "Das hier."', turns).findings
    assert ([each.turn for each in found], folds) == ([1, 2], [])


@pytest.mark.parametrize("quote", ["", "!?", "…", "... ... ...", "___", "🎉", "a … b … c … d"])
def test_a_quote_without_words_is_nowhere_although_its_signs_are(quote):
    turns = [Turn(1, 1, "user", f"Well!? … ... ... ... ___ 🎉 {quote}", ""), Turn(2, 1, "user", "Ja.", "")]
    assert look_up(Evidence(1, None, 1, quote), turns) is None
    assert look_up(Evidence(1, None, 2, "\u0640"), turns) is None


@pytest.mark.parametrize("said", ["My parrot... is called Kiwi", "Mein Papagei heißt: Möwe", "我的 鸚鵡 叫 奇異果"])
@pytest.mark.parametrize("before", [0, 34_990, 49_990, 50_000, 84_995, 3_000_000])
def test_a_quote_is_found_wherever_it_is_in_a_long_turn(said, before, folds):
    filler = "It rains again. " * 200_000
    turn = Turn(1, 1, "user", f"{filler[:before]} {said}! {filler[: 3_000_000 - before]}", "")
    (finding,) = check_reply(f'- [Turn 1] "{said.upper().replace(".", "")}": so', [turn]).findings
    assert finding.quote.rstrip("!") == said
    assert len(folds) <= 2
    assert max(map(len, folds), default=0) <= 50_000


def test_words_that_are_everywhere_in_a_long_turn_are_taken_apart_in_few_blocks(folds):
    turn = Turn(1, 1, "user", "the cat sat " * 250_000, "")
    assert check_reply('- "The cat, the dog sat": so', [turn]).false_quotes == 1
    assert check_reply('- "THE CAT SAT THE THE": so', [turn]).false_quotes == 1
    assert len(folds) <= 20
