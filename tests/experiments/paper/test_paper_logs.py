import json
from pathlib import Path

import pytest

from rlm_memory_core.experiments.data.assets import DataUnavailable
from rlm_memory_core.experiments.data.longmemeval import paper_ids
from rlm_memory_core.experiments.paper import paper_logs
from rlm_memory_core.experiments.paper.paper_log_parser import COLUMNS, parse_log, parse_published, parse_settings
from rlm_memory_core.experiments.run import runner

START = "Loading dataset from somewhere ...\n  Loaded 500 samples.\n\n  Truncation window: 32,000 chars\n\n"
FIRST = """[1/2] id=q1 | type=multi-session | turns=540 | chars=495,355
  Q: How many boats do I own?
  A: 3
  RLM:        EM=1.00 F1=0.6667 | 45.4s | 6666 tok | '3 boats'
  Truncation: EM=0.00 F1=0.0000 | 0.6s | 'I don't know.'

"""
SECOND = """[2/2] id=q2_abs | type=temporal-reasoning | turns=12 | chars=987
  Q: When did I sail?
  A: In May.
  RLM:        EM=0.00 F1=0.1000 | 1,0s | 7 tok | 'x'
  Truncation: EM=0.00 F1=0.0000 | 0.6s | ''

""".replace("1,0s", "1.0s")
END = "Results saved to: somewhere.json\n\n==========\n  n=2 samples\n"
LOG = START + FIRST + SECOND + END


def test_a_log_is_one_row_a_question_and_method():
    frame = parse_log(LOG)
    assert list(frame.columns) == list(COLUMNS)
    assert list(zip(frame["question_id"], frame["method"], strict=True)) == [
        ("q1", "RLM"), ("q1", "Truncation"), ("q2_abs", "RLM"), ("q2_abs", "Truncation"),
    ]  # fmt: skip
    first = frame.iloc[0]
    assert (first["question_type"], first["turns"], first["characters"]) == ("multi-session", 540, 495_355)
    assert (first["question"], first["gold"]) == ("How many boats do I own?", "3")
    assert (first["em"], first["f1"], first["seconds"], first["tokens"]) == (1.0, 0.6667, 45.4, 6666)
    assert (first["prediction"], first["cut"], first["crashed"]) == ("3 boats", False, False)
    assert frame.loc[1, "prediction"] == "I don't know."
    assert frame.loc[3, "prediction"] == ""


def test_what_a_log_does_not_print_is_missing_not_zero():
    frame = parse_log(LOG).set_index("method")
    assert frame.loc["Truncation", "tokens"].isna().all()
    assert frame[["judge", "retrieved"]].isna().all(axis=None)


def test_predictions_run_over_lines_and_hold_quotes():
    said = "Here are 'two':\n\n1. **Red'\n  RLM: is not an answer line\n[9] 'x'"
    frame = parse_log(LOG.replace("'3 boats'", f"'{said}'"))
    assert frame.loc[0, "prediction"] == said
    assert len(frame) == 4


def test_the_other_two_logs_shapes():
    rag = parse_log(
        "[1/1] id=q1 | type=multi-session | turns=1 | chars=9\n  Q: q\n  A: a\n"
        "  RAG (top-20): EM=0.00 F1=0.0476 | 6.8s | 10854 tok | retrieved=38 turns | '[ERROR: Error code: 400'\n\n"
        + END
    )
    assert rag[["method", "retrieved", "crashed"]].values.tolist() == [["RAG", 38, True]]
    adaptive = parse_log(
        "[1/1] id=q1 | type=multi-session (AGGREGATION) | turns=1 | chars=9\n  Q: q\n  A: a\n"
        "  RLM-v2 (AGGREGATION): EM=0.00 F1=0.1000 judge=0.80 | 17.1s | 110067 tok | 'x'\n"
        "  Truncation:           EM=0.00 F1=0.0000 | 0.9s | 'y'\n\n" + END
    )
    assert adaptive["method"].tolist() == ["RLM-v2", "Truncation"]
    assert adaptive.loc[0, "judge"] == 0.8
    assert adaptive.loc[0, "question_type"] == "multi-session"


def test_a_prediction_of_80_characters_may_have_been_cut():
    frame = parse_log(LOG.replace("'3 boats'", f"'{'b' * 80}'"))
    assert frame["cut"].tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("broken", "line", "said"),
    [
        (LOG.replace("F1=0.6667 ", ""), 9, "answer to question 1 (q1)"),
        (LOG.replace("0.6s | 'I don't know.'", "0.6s | I don't know."), 10, "answer to question 1 (q1)"),
        (LOG.replace("  Q: When", "  When"), 12, "question 2 does not start"),
        (LOG.replace("chars=987", "chars=many"), 12, "question 2 does not start"),
        (LOG.replace("[2/2]", "[3/3]"), 12, "found question 3/3, expected 2/2"),
        (LOG.replace(FIRST, ""), 6, "found question 2/2, expected 1/1"),
        (LOG.replace("  Truncation: EM=0.00 F1=0.0000 | 0.6s | ''\n", ""), 12, "not answered by RLM, Truncation alone"),
        (LOG.replace("| ''\n", "| ''\n\nTraceback: something\n"), 16, "answer to question 2 (q2_abs)"),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_skipped(broken, line, said):
    with pytest.raises(DataUnavailable) as caught:
        parse_log(broken, "run.txt")
    message = str(caught.value)
    assert message.startswith(f"run.txt, line {line}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "said"), [("", "stops before"), (START + FIRST, "stops before"), (START + END, "holds no questions")]
)
def test_a_log_that_is_not_whole_is_refused(text, said):
    with pytest.raises(DataUnavailable, match=f"run.txt {said}"):
        parse_log(text, "run.txt")


def test_published_systems_are_listed():
    listed = (
        "--- Published LongMemEval Results (real benchmark, for context) ---\n"
        "  System                 Model            Pub EM  Method\n  -----\n"
        "  Some Memory            OS 20B+           0.914  trained\n"
        "  RLM-Memory (ours)      gpt-4o-mini       0.460  no training  ← THIS RUN\n"
    )
    assert parse_published(LOG + listed).values.tolist() == [
        ["Some Memory", "OS 20B+", 0.914, "trained"],
        ["RLM-Memory (ours)", "gpt-4o-mini", 0.46, "no training"],
    ]
    assert parse_published(LOG).empty


# A folder of made-up logs over the paper's ids.


def answer_lines(labels):
    shapes = {
        "RLM": "  RLM:        EM=1.00 F1=0.6667 | 45.4s | 6666 tok | 'yes'",
        "Truncation": "  Truncation: EM=0.00 F1=0.0000 | 0.6s | 'no'",
        "RAG": "  RAG (top-20): EM=0.00 F1=0.0 | 6.8s | 10854 tok | retrieved=38 turns | 'no'",
        "RLM-v2": "  RLM-v2 (FACTUAL): EM=0.00 F1=0.5833 | 54.3s | 2792 tok | 'no'",
    }
    return "".join(f"{shapes[label]}\n" for label in labels)


def test_the_head_tells_the_settings():
    assert parse_settings(LOG) == (500, 32_000)
    with pytest.raises(DataUnavailable, match=r"^run\.txt does not say at its head"):
        parse_settings(LOG.replace("32,000 chars", "none"), "run.txt")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("RLM_MEMORY_DATA", raising=False)
    made = tmp_path / "logs"
    made.mkdir()
    for name, labels in paper_logs._METHODS.items():
        blocks = [
            f"[{i}/100] id={question} | type=multi-session | turns=5 | chars=1,000\n"
            f"  Q: q\n  A: a\n{answer_lines(labels)}\n"
            for i, question in enumerate(paper_ids(), start=1)
        ]
        (made / name).write_text("".join([START, *blocks, END]), encoding="utf-8")
    for name in paper_logs.LOGS:
        if name.endswith(".json"):
            (made / name).write_text("{}", encoding="utf-8")
    return made


def test_load_reads_every_log_under_our_names(folder):
    logs = paper_logs.load(folder, download=False)
    assert logs.answers["method"].value_counts().to_dict() == dict.fromkeys(
        ["rlm", "truncation", "rag", "adaptive", "truncation-again"], 100
    )
    assert logs.answers.loc[logs.answers["method"] == "rlm", "question_id"].tolist() == paper_ids()
    assert set(paper_logs.inventory(logs)["as published"]) == {"NO"}
    assert len(logs.sha256) == 64
    written = paper_logs.questions(logs)
    assert tuple(written.columns) == runner.COLUMNS
    assert written["prompt_tokens"].isna().all()


def test_logs_must_hold_the_same_questions(folder):
    path = folder / "rag_100_log.txt"
    path.write_text(path.read_text().replace("chars=1,000", "chars=1,001", 1))
    with pytest.raises(DataUnavailable, match=r"rag_100_log\.txt: the questions of rag are not those"):
        paper_logs.load(folder, download=False)


def test_logs_must_hold_the_papers_questions(folder):
    for name in paper_logs._METHODS:
        (folder / name).write_text((folder / name).read_text().replace(f"id={paper_ids()[0]} ", "id=other "))
    with pytest.raises(DataUnavailable, match="the paper's 100 questions"):
        paper_logs.load(folder, download=False)


def test_a_log_must_hold_its_own_methods(folder):
    (folder / "rag_100_log.txt").write_bytes((folder / "run_100_log.txt").read_bytes())
    with pytest.raises(DataUnavailable, match=r"rag_100_log\.txt should hold RAG; RAG, RLM, Truncation differs"):
        paper_logs.load(folder, download=False)


def test_a_broken_file_is_one_line(folder):
    (folder / "niah_results.json").write_text('[\n{"a": }]')
    with pytest.raises(DataUnavailable, match=r"niah_results\.json, line 2: not JSON"):
        paper_logs.load(folder, download=False)
    (folder / "niah_results.json").write_bytes(b"\xff")
    with pytest.raises(DataUnavailable, match="cannot be read"):
        paper_logs.load(folder, download=False)


def test_logs_are_sought_in_the_data_folder_then_beside_it(tmp_path, monkeypatch):
    data, beside = tmp_path / "data", tmp_path / "paper" / "logs"
    data.mkdir()
    beside.mkdir(parents=True)
    monkeypatch.setenv("RLM_MEMORY_DATA", str(data))
    monkeypatch.chdir(tmp_path)
    name = "niah_results.json"
    with pytest.raises(DataUnavailable, match=name):
        paper_logs.find(name, download=False)
    (beside / name).write_text("[]")
    assert paper_logs.find(name, download=False) == beside / name
    (data / name).write_text("[]")
    assert paper_logs.find(name, download=False) == data / name
    given = tmp_path / "given"
    given.mkdir()
    (given / name).write_text("[]")
    assert paper_logs.find(name, given, download=False) == given / name


@pytest.mark.parametrize("asset", paper_logs.LOGS.values(), ids=paper_logs.LOGS.keys())
def test_assets_have_whole_checksums_at_one_commit(asset):
    assert len(bytes.fromhex(asset.sha256)) == 32
    assert asset.url.endswith(f"/eval/{asset.filenames[0]}")
    assert "/sayedRaheel/rlm-memory/06d9037" in asset.url


# The authors' own, where they are at hand.


def test_they_are_the_published_ones(logs):
    assert set(paper_logs.inventory(logs)["as published"]) == {"yes"}
    for name, path in logs.paths.items():
        assert Path(path).stat().st_size == paper_logs.LOGS[name].bytes


def test_every_answer_is_there(logs):
    assert set(logs.answers["method"].value_counts()) == {100}
    sized = logs.answers.drop(columns=["judge", "tokens", "retrieved"])
    assert sized.notna().all(axis=None)
    assert logs.answers["prediction"].str.len().max() == 80


def test_they_count_the_errors_that_the_result_files_count(logs):
    crashed = logs.answers.groupby("method")["crashed"].sum()
    assert crashed["rag"] == logs.results["rag_100_results.json"]["errors"] == 10
    assert crashed["rlm"] == logs.results["real_longmemeval_100_results.json"]["errors"] == 0


@pytest.mark.parametrize(
    ("method", "file", "path"),
    [
        ("rlm", "real_longmemeval_100_results.json", ["overall", "rlm"]),
        ("truncation", "real_longmemeval_100_results.json", ["overall", "truncation"]),
        ("rag", "rag_100_results.json", ["overall"]),
        ("adaptive", "adaptive_100_results.json", ["overall", "rlm"]),
        ("truncation-again", "adaptive_100_results.json", ["overall", "truncation"]),
    ],
)
def test_their_means_are_those_of_the_result_files(logs, method, file, path):
    rows = logs.answers[logs.answers["method"] == method]
    filed = json.loads(logs.paths[file].read_text())
    for key in path:
        filed = filed[key]
    assert rows["em"].mean() == pytest.approx(filed["em"])
    assert rows["f1"].mean() == pytest.approx(filed["f1"], abs=0.0001)
    assert rows["seconds"].mean() == pytest.approx(filed["avg_latency_s"], abs=0.05)
    if "avg_tokens" in filed:
        assert rows["tokens"].mean() == pytest.approx(filed["avg_tokens"])
