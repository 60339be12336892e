import json
import os

import pytest

from rlm_memory_core.experiments.data import assets, locomo
from rlm_memory_core.experiments.data.assets import DataBroken, DataUnavailable
from rlm_memory_core.experiments.score import scoring
from rlm_memory_core.query.prompts import UNKNOWN


def talk(name="conv-1", **changes):
    conversation = {
        "speaker_a": "Ann",
        "speaker_b": "Bo",
        "session_3_date_time": "9:00 am on 1 June, 2023",  # a date without a session
        "session_2_date_time": "12:48 am on 1 February, 2023",
        "session_2": [
            {"speaker": "Bo", "dia_id": "D2:1", "text": "I moved to Ghent."},
            {"speaker": "Ann", "dia_id": "D2:2", "text": "Look!", "blip_caption": "a photo of a canal", "img_url": []},
        ],
        "session_1_date_time": "1:56 pm on 8 May, 2022",
        "session_1": [{"speaker": "Ann", "dia_id": "D1:1", "text": "I have 2 cats."}],
    }
    questions = [
        {"question": "Where did Bo move?", "answer": "Ghent", "evidence": ["D2:1"], "category": 4},
        {"question": "How many cats has Ann?", "answer": 2, "evidence": ["D1:1; D2:2", "D"], "category": 1},
        {"question": "When did Bo move?", "answer": "January 2023", "evidence": ["D:2:1", "D9:4"], "category": 2},
        {
            "question": "Where did Ann move?",
            "adversarial_answer": "Ghent",
            "answer": "Bruges",  # as two questions of the real file have it
            "evidence": ["D2:1"],
            "category": 5,
        },
    ]
    return {"sample_id": name, "conversation": conversation, "qa": questions, "observation": "not read"} | changes


@pytest.fixture
def load(tmp_path):
    def load(*talks, **options):
        (tmp_path / "locomo10.json").write_text(json.dumps(talks or [talk()]))
        return locomo.load(data_dir=tmp_path, **options)

    return load


def test_sessions_are_dated_and_oldest_first_and_those_without_turns_are_none(load):
    sessions = load()[0].sessions
    assert [session.date for session in sessions] == ["1:56 pm on 8 May, 2022", "12:48 am on 1 February, 2023"]
    assert [turn.role for session in sessions for turn in session.turns] == ["Ann", "Bo", "Ann"]


def test_a_turn_names_its_speaker_and_a_picture_is_its_caption(load):
    assert [turn.content for turn in load()[0].sessions[1].turns] == [
        "Bo: I moved to Ghent.",
        "Ann: Look! [shares a picture: a photo of a canal]",
    ]


def test_evidence_is_positions_of_sessions_whatever_slips_the_file_has(load):
    assert [sample.evidence for sample in load()] == [(1,), (0, 1), (1,), ()]


def test_categories_have_their_names_and_numbers_are_texts(load):
    samples = load()
    assert [sample.kind for sample in samples] == ["single-hop", "multi-hop", "temporal", "adversarial"]
    assert samples[1].answer == "2"
    assert [sample.id for sample in samples] == [f"conv-1-{place}" for place in range(4)]


def test_an_adversarial_question_wants_an_abstention(load):
    trap = load()[3]
    assert (trap.abstain, trap.answer) == (True, UNKNOWN)
    assert scoring.score_synthetic(trap, "Ann moved to Ghent.")["em"] == 0.0
    assert scoring.score_synthetic(trap, "She never mentioned it: not mentioned.")["em"] == 1.0


def test_no_label_reaches_the_history(load):
    told = load()[3].store().to_string()
    assert "Bruges" not in told
    assert "D2:1" not in told
    assert "not read" not in told


def test_conversations_and_a_balanced_draw_in_the_files_order(load):
    two = [talk(), talk("conv-2")]
    assert len(load(*two)) == 8
    assert {sample.id[:6] for sample in load(*two, conversations=1)} == {"conv-1"}
    drawn = load(*two, n=4)
    assert len({sample.kind for sample in drawn}) == 4
    assert drawn == load(*two, n=4)
    assert [sample.id for sample in drawn] == sorted(sample.id for sample in drawn)
    assert {sample.id for sample in load(*two, n=3)} < {sample.id for sample in drawn}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"conversations": 2}, "conversations must be 1 to 1, not 2"),
        ({"n": 5}, "cannot draw 5 of 4"),
    ],
)
def test_what_there_is_not_is_said(load, options, said):
    with pytest.raises(ValueError, match=said):
        load(**options)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[{", "cannot be read"),
        ("{}", "is not a list of conversations"),
        ("[3]", "a conversation is not in LoCoMo's format"),
        ('[{"sample_id": "conv-9"}]', "conv-9 is not in LoCoMo's format: 'conversation' is missing"),
        ('[{"conversation": {"session_1": []}}]', "'session_1_date_time' is missing"),
        ('[{"conversation": {"session_1": [], "session_1_date_time": "May"}}]', "does not match format"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, content, said):
    (tmp_path / "locomo_4.json").write_text(content)
    with pytest.raises(DataBroken, match=said) as error:
        locomo.load(data_dir=tmp_path)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_file_that_is_nowhere_is_said_with_what_to_do(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no network")

    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()  # so that it is the project, in whose data/ there is nothing
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pooch.retrieve", no_network)
    with pytest.raises(DataUnavailable, match=r"LoCoMo \(locomo10.json or locomo_4.json\) is not in .*set RLM_MEMORY"):
        locomo.load(data_dir=tmp_path)


@pytest.mark.skipif(not os.environ.get("RLM_MEMORY_DATA"), reason="RLM_MEMORY_DATA is not set")
def test_the_real_file():
    try:
        assets.locate(assets.LOCOMO, download=False)
    except DataUnavailable as error:
        pytest.skip(str(error))
    samples = locomo.load()
    assert {sample.kind for sample in samples} == set(locomo.CATEGORIES.values())
    without = [sample.id for sample in samples if not sample.evidence and not sample.abstain]
    assert len(without) <= 0.01 * len(samples)  # the file cites nothing for a few
    assert all(sample.question and sample.answer for sample in samples)
    assert len({sample.id for sample in samples}) == len(samples)
    assert max(max(sample.evidence, default=0) for sample in samples) < 32
