"""Single turns: which are found, in what order, and what is said of the rest."""

from datetime import date

import pytest

from rlm_memory_core.models import background
from rlm_memory_core.query.search_tools import SearchTools
from rlm_memory_core.query.search_way import opening
from rlm_memory_core.search import word_index
from rlm_memory_core.search.find import find_turns, linked_turns, turns_with
from rlm_memory_core.search.probes import Filters
from rlm_memory_core.store import time_limit


def numbers(found):
    return [hit.turn.index for hit in found.hits]


@pytest.fixture
def life(store):
    """Forty sessions of small talk with a few things of one's own among them."""
    told = {
        3: ("user", "The violin lesson with Ines is on Tuesdays now."),
        11: ("user", "I sold the old violin and bought a viola."),
        12: ("assistant", "Violin care: " + "keep the violin dry. " * 60),
        20: ("user", "Ines plays the harp."),
    }
    for number in range(40):
        store.start_session(f"2023/{1 + number // 28:02}/{1 + number % 28:02} (Mon) 10:00")
        store.extend([told.get(number, ("user", "The bus was late again.")), ("assistant", "I see.")])
    return store


def turn(number):
    return 2 * number + 1


def test_words_match_in_any_form_and_what_several_probes_find_comes_first(life):
    found = find_turns(life, ["violins", "buying a viola"])
    assert numbers(found)[0] == turn(11)
    assert set(numbers(found)) >= {turn(3), turn(11)}


def test_each_match_says_where_it_is(life):
    for hit in find_turns(life, ["violin lesson", "harp"]).hits:
        assert all(hit.turn.content[start:end].lower() in "violin lesson harp" for start, end, _ in hit.matches)
        assert hit.matches


def test_a_long_turn_of_the_assistant_does_not_win(life):
    assert numbers(find_turns(life, ["violin"]))[:2] != [turn(12)]
    assert numbers(find_turns(life, ["violin"], Filters(role="assistant"))) == [turn(12)]
    assert numbers(find_turns(life, ["dry"])) == [turn(12)]


def test_common_words_alone_are_no_match_beside_rare_ones(life):
    assert numbers(find_turns(life, ["the bus viola"])) == [turn(11)]
    assert len(find_turns(life, ["bus late"], limit=5).hits) == 5


@pytest.mark.parametrize("name", ["Ines", "ines", "Ate"])
def test_a_word_that_has_the_stem_of_a_function_word_is_found_by_itself(store, name):
    store.extend(
        [("user", said) for said in ["We sat in the sun at one."] * 39 + ["In May, at 5. At 6, one more. One."]]
    )
    store.add("user", f"I met {name}'s dog.")
    assert numbers(find_turns(store, [name])) == [41]
    assert [hit.turn.index for hit in turns_with(store, name, Filters(), 10)] == [41]
    assert numbers(find_turns(store, [f"there with {name}"])) == [41]


def test_a_name_that_is_written_like_a_function_word(store):
    store.extend([("user", "I will come, will you?")] * 9 + [("user", "I met Will there.")])
    assert [hit.turn.index for hit in turns_with(store, "Will", Filters(), 20)] == [10]


@pytest.fixture
def weeks(store):
    said = ["What a week, I need it back from her.", "A cold week.", "Back to work, another one.", "It\u2019s now 26."]
    store.extend([("user", text) for text in said * 10])
    store.add("user", "We spent a week in Porto.")
    store.add("user", "Back from Porto!")
    return store


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ("week in", {41}),
        ("back from", {42, *range(1, 38, 4)}),
        ("it's now", {*range(4, 41, 4)}),
        ("they were there", set()),
    ],
)
def test_function_words_mean_what_stands_there(weeks, probe, expected):
    found = find_turns(weeks, [probe], limit=50, per_session=50)
    assert {hit.turn.index for hit in found.hits} == expected
    assert all(
        hit.turn.content[start:end].casefold().replace("\u2019", "'") == probe
        for hit in found.hits
        for start, end, _ in hit.matches
    )
    assert found.without == (() if expected else (probe,))


def test_one_common_word_of_two_is_no_match(weeks):
    assert numbers(find_turns(weeks, ["cold zebra"])) == []
    assert numbers(find_turns(weeks, ["work Porto"], limit=3)) == [42, 41]
    assert find_turns(weeks, ["work Porto", "cold zebra"]).without == ("cold zebra",)


@pytest.fixture
def pets(store):
    """A hundred turns, of which ten speak of a tank, ten of food in Chinese and one of a parrot."""
    told = {
        10: "I cleaned the tank.",
        20: "The tank is full.",
        30: "今天吃鱼缸面。",
        44: "A parrot talks.",
        45: "Zebras run.",
    }
    said = [told.get(number, told.get(number % 10 * 10, "The bus was late again.")) for number in range(100)]
    store.extend([("user", text) for text in said])
    return store


@pytest.mark.parametrize(
    ("probe", "expected", "nowhere"),
    [
        ("zebrafish tank", set(), ("zebrafish",)),  # not by the common word alone, nor by a part of the rare one
        ("tanks of zebrafishes", set(), ("zebrafishes",)),
        ("斑点 鱼缸", set(), ("斑点",)),
        ("zebrafish parrots", {45}, ("zebrafish",)),  # a rare word is enough, and what is missing is told
        ("parrot tank", {45}, ()),
        ("parrots talking", {45}, ()),
        ("zebrafish", set(), ("zebrafish",)),
        ("my zebrafish", set(), ("zebrafish",)),
    ],
)
def test_a_probe_whose_rare_word_stands_nowhere_does_not_match_by_a_common_one(pets, probe, expected, nowhere):
    found = find_turns(pets, [probe, "bus"])
    assert {hit.turn.index for hit in find_turns(pets, [probe]).hits} == expected
    assert found.nowhere == nowhere
    assert (probe in found.without) == (not expected and not probe.endswith("zebrafish"))


def test_a_common_word_of_a_probe_counts_again_once_the_rare_one_is_said(pets):
    pets.add("user", "The zebrafish like their tank.")
    assert numbers(find_turns(pets, ["zebrafish tank"])) == [101]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("I grew up in Nairobi.", "what city did I grow up in"),
        ("She sang at the wedding.", "sing"),
        ("We drove to Porto.", "drive"),
        ("He has spoken about it.", "speak"),
    ],
)
def test_irregular_forms_are_found_where_no_word_of_a_probe_stands(pets, said, asked):
    pets.add("user", said)
    (hit,) = find_turns(pets, [asked]).hits
    assert hit.turn.content == said
    assert hit.matches


def test_quotes_mean_exactly(life):
    assert numbers(find_turns(life, ['"old violin"'])) == [turn(11)]
    assert numbers(find_turns(life, ['"violin old"'])) == []


@pytest.mark.parametrize(
    "probe", ['"', '""', "* OR (", "a AND NOT b", "NEAR(x", "'; --", "\0", "\ud800", "^x -y", "{a}:b", " "]
)
def test_no_probe_is_a_command(life, probe):
    assert numbers(find_turns(life, [probe, "viola"]))[:1] == [turn(11)]


def test_where_all_words_are_common_the_newest_turns_with_two_of_them_are_found(store, monkeypatch):
    monkeypatch.setattr(word_index, "MOST_SCORED", 20)
    store.extend([("user", ("The red car.", "A red bus.", "The bus is late.")[number % 3]) for number in range(90)])
    assert numbers(find_turns(store, ["red bus"], limit=2)) == [89, 86]
    assert set(numbers(find_turns(store, ["bus"], per_session=99, limit=2))) <= set(range(61, 91))
    store.add("user", "The red bus was sold.")
    assert numbers(find_turns(store, ["red bus sold"], limit=2))[0] == 91


def test_common_words_are_found_in_the_days_asked_for(store, monkeypatch):
    monkeypatch.setattr(word_index, "MOST_SCORED", 20)
    for day in range(1, 31):
        store.start_session(f"2023/05/{day:02}")
        store.extend([("user", "The red bus was late.")] * 3)
    found = find_turns(store, ["red bus"], Filters(before=date(2023, 5, 4).toordinal()), limit=3)
    assert {hit.turn.session for hit in found.hits} == {4}


def test_filters_and_what_they_leave_out(life):
    after = Filters(after=date(2023, 1, 10).toordinal())
    assert turn(3) not in numbers(find_turns(life, ["violin"], after))
    found = find_turns(life, ["harp", "trombone"], Filters(before=date(2023, 1, 5).toordinal()))
    assert (found.hits, found.nowhere, found.without) == ((), ("trombone",), ("harp",))


def test_a_snapshot_ends_with_its_last_turn(life):
    before = life.snapshot()
    life.add("user", "The harp was sold.")
    find_turns(life, ["harp"])
    assert find_turns(before, ["sold out", "auction sold"]).nowhere == ("auction",)
    life.add("user", "What became of the trombone?")
    find_turns(life, ["trombone"])
    assert find_turns(before, ["trombone"]).nowhere == ("trombone",)
    assert numbers(find_turns(before, ["harp"])) == [turn(20)]
    assert len(find_turns(life, ["harp"]).hits) == 2


def test_one_session_does_not_hide_the_others(store):
    for said in (["I like jazz."] * 9, ["Jazz tonight?"]):
        store.start_session()
        store.extend(("user", text) for text in said)
    assert {hit.turn.session for hit in find_turns(store, ["jazz"], limit=4, per_session=3).hits} == {1, 2}


INSTRUMENTS = "violin harp viola cello oboe flute zither drum trumpet lute organ".split()


def test_of_many_probes_a_common_word_does_not_fill_the_result(life):
    for name in INSTRUMENTS:
        life.start_session()
        life.add("user", f"My {name} is old.")
    found = find_turns(life, [*INSTRUMENTS, "bus"], limit=20)
    assert len([hit for hit in found.hits if "bus" in hit.turn.content]) == 3
    assert {hit.turn.index for hit in found.hits} > {len(life) - at for at in range(len(INSTRUMENTS))}
    assert found.more == 30 - 3 + 1  # the other buses that a probe looks at closely, and an older violin
    assert len(find_turns(life, ["bus", "guitar", "kayak", "banjo", "gong"], limit=12).hits) == 12


def test_what_many_probes_find_is_shown_even_if_each_finds_something_better(life):
    life.extend(("user", f"My {name}, my {name}.") for name in INSTRUMENTS for _ in range(3))
    life.start_session("2024/01/01 (Mon) 10:00")
    last = life.add("user", f"I sold the {', the '.join(INSTRUMENTS)}, and all the rest of what stood in the hall.")
    assert last.index in numbers(find_turns(life, INSTRUMENTS, limit=12))


def test_all_probes_of_a_search_see_the_same_turns(life, monkeypatch):
    search = word_index.Terms.of

    def adding(store, words):
        life.add("user", "The ferret sleeps.")
        return search(store, words)

    monkeypatch.setattr(word_index.Terms, "of", adding)
    assert find_turns(life, ["harp", "ferret"]).nowhere == ("ferret",)


def test_a_ranking_of_sessions_raises_their_turns(life):
    assert numbers(find_turns(life, ["Ines"], sessions=[21]))[0] == turn(20)
    assert numbers(find_turns(life, ["Ines"], sessions=[4, 30]))[0] == turn(3)


def test_turns_alike_in_meaning_are_found_without_a_word(life):
    found = find_turns(life, ["string instruments"], alike=[turn(20)])
    assert numbers(found) == [turn(20)]
    assert numbers(find_turns(life, ["strings"], Filters(role="assistant"), alike=[turn(20)])) == []


def test_an_empty_history_has_nothing(store):
    assert find_turns(store, ["cat"]).nowhere == ("cat",)
    assert turns_with(store, "cat", Filters(), 5) == []


@pytest.mark.parametrize(
    ("said", "asked"), [("我的猫叫麻糬。", "猫"), ("Мою кошку зовут Мурка.", "кошка"), ("Café Müller", "cafe")]
)
def test_other_languages(store, said, asked):
    store.extend([("user", "The bus was late."), ("user", said), ("user", "It rains.")])
    (hit,) = find_turns(store, [asked]).hits
    assert hit.turn.content == said
    assert hit.matches


def test_all_turns_with_a_name_in_order(life):
    assert [hit.turn.index for hit in turns_with(life, "Ines", Filters(), 10)] == [turn(3), turn(20)]
    assert [hit.turn.index for hit in turns_with(life, "ines harp", Filters(), 10)] == [turn(20)]
    assert [hit.turn.index for hit in turns_with(life, "violin", Filters(but="assistant"), 1)] == [turn(11)]


@pytest.mark.parametrize("probe", ["ba" * 5000, " ".join(["bababababab" * 9] * 90), '"' + "c " * 4000 + 'd"'])
def test_a_long_probe_takes_neither_time_nor_memory_without_bound(store, probe):
    store.extend([("user", "c " * 100_000 + "d"), ("user", "A cat.")])
    assert len(find_turns(store, [probe]).hits) <= 1


def test_a_search_ends_between_turns_and_statements(store, monkeypatch):
    store.extend([("user", "cat " * 1000)] * 30)
    find_turns(store, ["cat"])

    def find(looks):
        def check():
            if next(looks):
                raise TimeoutError("over")

        with monkeypatch.context() as searching:
            searching.setattr(time_limit._search, "check", check, raising=False)
            find_turns(store, ["cat", '"cat cat"'])

    for statements in range(8):
        with pytest.raises(TimeoutError, match="over"):
            find(iter([False] * statements + [True] * 1000))


@pytest.fixture
def steps(store):
    """A matter told in steps: each repeats a name or rare words of another step, and not the topic's word."""
    said = [
        "We adopted a parrot from Mrs Quillfeather.",
        "Which tea is good?",
        "Mrs Quillfeather says he likes walnuts, by the way.",
        "The crimson trapeze arrived today, and he hangs from it all day.",
        "How do I oil a crimson trapeze?",
        "Is it going to rain on Saturday?",
    ]
    for text in [*said, *(f"Day {n}: soup, bread, a long walk, and nothing new on Saturday." for n in range(60))]:
        store.start_session()
        store.extend([("user", text), ("assistant", "Noted: soup and a walk.")])
    return store


def linked(store, *probes, limit=5, **filters):
    hits = find_turns(store, probes).hits
    return [hit.turn.index for hit in linked_turns(store, hits, Filters(**filters), limit)]


def test_turns_that_share_a_name_or_rare_words_with_a_hit_are_linked(steps):
    assert linked(steps, "parrot") == [5]
    assert linked(steps, "arrived") == [9]
    assert linked(steps, "rain") == []  # a word that is everywhere links nothing
    assert linked(steps, "parrot", limit=0) == []
    assert linked(steps, "parrot", role="assistant") == []
    assert linked(steps, "unicorn") == []


def test_long_texts_without_spaces_make_no_error(store):
    for n in range(6):
        store.start_session()
        store.add("user", "".join(chr(0x4E00 + (n // 2 * 797 + k) % 15_000) for k in range(797)))
    assert linked(store, store.turns[0].content[:4]) == []  # the same words, and no error


def test_find_and_the_opening_show_linked_turns(steps):
    tools = SearchTools(steps, "What is the name of my parrot?", None)
    assert "he likes walnuts" in background.run(opening(tools))
    assert "oil a crimson" in background.run(tools.find("arrived", order="date"))
    assert "oil a crimson" not in background.run(tools.find("arrived", role="assistant"))
