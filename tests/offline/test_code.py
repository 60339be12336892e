import pytest

from rlm_memory_core import MemoryRLM, MemoryStore, Reading, connect

MODES = [{}, {"recency": True}, {"facts": True}]


@pytest.fixture
def long_store():
    """Sixty sessions on buses, and among them three facts."""
    facts = {
        7: "My cat is called Mochi.",
        21: "I keep the spare key of the cottage under a pot.",
        40: "I run 5 km on Sundays with Ines.",
    }
    store = MemoryStore()
    for number in range(60):
        store.start_session(f"2023/0{1 + number // 28}/{1 + number % 28:02} (Mon) 10:00")
        store.extend([("user", facts.get(number, "The bus was late again.")), ("assistant", "I see.")])
    return store


def ask(store, question, **options):
    reading = Reading(**options.pop("reading"))
    return MemoryRLM(connect("offline", recorded="off"), reading=reading, **options).query(store, question)


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
def test_the_best_sessions_are_enough(long_store, mode, parallel, copy_limit):
    reading = {"first": 3} | mode
    answer = ask(long_store, "What is my cat called?", reading=reading, parallel=parallel, copy_limit=copy_limit)
    assert answer.text == "My cat is called Mochi."
    assert len(answer.sessions_read) == 3
    assert [(each.session, each.quote) for each in answer.evidence] == [(8, "My cat is called Mochi.")]


@pytest.mark.parametrize("mode", MODES[1:], ids=str)
def test_without_a_first_wave_all_are_read(long_store, mode):
    answer = ask(long_store, "What is my cat called?", reading=mode)
    assert (answer.text, len(answer.sessions_read)) == ("My cat is called Mochi.", 60)


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
def test_a_name_that_stands_nowhere_is_not_worth_reading_for(long_store, copy_limit):
    answer = ask(long_store, "Where does my cousin Boris live?", reading={"first": 3}, copy_limit=copy_limit)
    assert (answer.text, answer.sessions_read) == ("I don't know", ())
    assert len(answer.trace.steps) == 2


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
def test_words_that_no_session_read_so_far_holds_are_read_for(long_store, copy_limit):
    for _ in range(5):  # these rank first, and hold a word of the question, but not what it asks for
        long_store.start_session("2023/03/20 (Mon) 10:00")
        long_store.add("user", "A key, a spare, a spare key: key, spare, key.")
    question = "Which spare key is where in which cottage under which pot?"
    answer = ask(long_store, question, reading={"first": 2}, copy_limit=copy_limit)
    assert "cottage" in answer.text
    assert 22 in answer.sessions_read
    assert len(answer.sessions_read) <= 6


@pytest.mark.parametrize("copy_limit", [0, 10_000_000])
def test_what_is_read_does_not_depend_on_how_long_the_history_is(long_store, copy_limit):
    def tokens(question):
        return ask(long_store, question, reading={"first": 5}, copy_limit=copy_limit).usage.total_tokens

    questions = ["What is my cat called?", "With whom do I run on Sundays?", "What is the speed of my printer?"]
    before = [tokens(question) for question in questions]
    for number in range(600):
        long_store.start_session(f"2024/0{1 + number // 100}/{1 + number % 28:02} (Mon) 10:00")
        long_store.extend([("user", "The bus was late again."), ("assistant", "I see.")])
    assert [tokens(question) for question in questions] == pytest.approx(before, rel=0.1)


def test_the_newest_of_facts_that_contradict_one_another_is_right(store):
    for month, place in enumerate(("Oslo", "Rome", "Lima"), 1):
        store.start_session(f"2023/0{month}/01 (Mon) 10:00")
        store.add("user", f"My sister lives in {place}.")
    for mode in MODES[1:]:
        assert ask(store, "Where does my sister live?", reading=mode).text.startswith("My sister lives in Lima.")


@pytest.mark.parametrize("copy_limit", [0, 1_000_000])
@pytest.mark.parametrize("first", [None, 3])
@pytest.mark.parametrize("mode", MODES[1:], ids=str)
def test_what_the_subagent_notes_beside_its_quotes_reaches_the_answer(store, mode, first, copy_limit):
    for day, asked, told in (
        (1, "I leave for Lofoten soon.", "For Lofoten you need to pack these things:\n1. **Wool socks**\n2. Crampons"),
        (8, "The bus was late again.", "I see."),
        (9, "I adopted a kitten at the shelter. His name is Biscuit. He sleeps all day.", "Lovely."),
        (10, "My kitten and the shelter of the bus: it rained.", "I see."),
    ):  # fmt: skip
        store.start_session(f"2023/05/{day:02} (Mon) 10:00")
        store.extend([("user", asked), ("assistant", told)])
    reading = {"first": first} | mode
    packed = ask(store, "What did you tell me to pack for Lofoten?", reading=reading, copy_limit=copy_limit)
    assert "Wool socks and Crampons" in packed.text  # listed below the sentence that is quoted
    named = "What is the name of the kitten that I adopted at the shelter?"
    answer = ask(store, named, reading=reading, copy_limit=copy_limit)
    assert answer.text.startswith("His name is Biscuit.")  # the question's other words stand beside it
    assert {each.text for each in answer.evidence} <= {"user", "assistant"}


def test_a_question_that_names_more_days_than_can_be_ranked_by_is_read_for(long_store):
    days = ", ".join(
        f"{day} {month} {year}" for year in range(2001, 2024) for month in ("May", "July") for day in range(1, 29)
    )
    answer = ask(long_store, f"What is my cat called? I ask on: {days}.", reading={"first": 3})
    assert not answer.error
    assert "Error" not in answer.trace.steps[0].output
    assert answer.sessions_read
