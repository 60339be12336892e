import json
import re
import shutil
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper.scorecard import counts, read, scorecard
from rlm_memory_core.experiments.run.catalog import NOTEBOOKS
from rlm_memory_core.experiments.show import report, report_sections

COMMITTED = Path(__file__).parents[3] / "outputs" / "offline"
OFFLINE = "offline reader (no LLM)"
VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, its text, and whether every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.words).split())
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    def all(self, tag, key):
        return [attrs[key] for name, attrs in self.tags if name == tag and key in attrs]


@pytest.fixture(scope="module")
def committed():
    text = report.render(COMMITTED)
    return text, Page(text)


@pytest.fixture
def folder(tmp_path):
    """A run's folder with no results yet."""
    (tmp_path / "results").mkdir()
    return tmp_path


def put(folder, name, rows, model=OFFLINE, **changes):
    """A results document of rows (id, value, n, low, high)."""
    told = {"commit": "abc", "versions": {"python": "3.11"}, "model": model, "seed": 1, "data_sha256": None}
    document = {
        "provenance": told | {"date": "2026-01-02T03:04:05+00:00", "spent_usd": 0.0} | changes,
        "rows": [dict(zip(("id", "value", "n", "low", "high"), row, strict=True)) for row in rows],
    }
    (folder / "results" / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


QUESTION = {
    "question_id": "a89d7624", "question_type": "multi-session", "method": "rlm-sequential", "model": OFFLINE,
    "em": 1, "f1": 0.5, "em_strict": 0, "f1_squad": 0.5, "abstained": 0, "prompt_tokens": 9, "completion_tokens": 1,
    "calls": 1, "cost_usd": 0, "seconds": 0.1, "coverage": "", "answer_words": 3, "error": "",
}  # fmt: skip


def ask(folder, name, *changes):
    """A table of questions, each the one above with changes; a method's are numbered."""
    asked = [each.get("method", QUESTION["method"]) for each in changes]
    numbered = [QUESTION | {"question_id": f"q{asked[:i].count(asked[i])}"} | each for i, each in enumerate(changes)]
    lines = [",".join(QUESTION), *(",".join(map(str, each.values())) for each in numbered)]
    (folder / "results" / f"{name}.questions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def row_of(text, name):
    """A scorecard's row as text, cell by cell."""
    (html,) = re.findall(rf'<tr id="{re.escape(name)}">(.*?)</tr>', text, re.DOTALL)
    return [Page(cell).text for cell in re.findall(r"<t[hd].*?</t[hd]>", html, re.DOTALL)]


def test_every_number_of_the_register_has_its_row(committed):
    text, page = committed
    ids = page.all("tr", "id")
    assert ids == list(paper.register())
    document = json.loads((COMMITTED / "results" / "03_longmemeval_s.json").read_text())
    ours = next(row for row in document["rows"] if row["id"] == "table5.rlm.em")
    value, low, high = (f"{ours[key]:.3f}" for key in ("value", "low", "high"))
    assert row_of(text, "table5.rlm.em")[:6] == [
        "RLM-MEMORY (ours), EM", "0.460", "0.460 n = 100", f"{value} [{low}, {high}] n = 100 ○ control",
        "recomputed", "✓ agrees",
    ]  # fmt: skip


def test_the_head_counts_what_the_scorecard_counts(committed):
    _, page = committed
    card = scorecard(paper.register(), read(sorted((COMMITTED / "results").glob("*.json"))))
    for status, row in counts(card).iterrows():
        assert " ".join([str(status), *(f"{count}" if count else "·" for count in row)]) in page.text


def test_who_answered_and_what_that_does_not_tell_is_said_before_any_figure(committed):
    _, page = committed
    head = page.text.partition("What does not hold as written")[0]
    assert OFFLINE in head
    assert "say nothing about gpt-4o-mini" in head


def test_what_does_not_hold_is_told_once_a_reason_with_all_its_places(committed):
    text, page = committed
    part = Page(re.search('<section id="findings">.*?</section>', text, re.DOTALL)[0])
    register = paper.register()
    card = scorecard(register, read([]))
    faulty = [register[name] for name in card.loc[card["verdict"] == "does not hold as written", "id"]]
    faults = {number.fault or paper.source(number, register).fault for number in faulty}
    assert all(part.text.count(fault[1:]) == 1 for fault in faults)
    linked = {name.removeprefix("#") for name in part.all("a", "href")}
    assert linked <= {number.id for number in faulty}
    assert {register[name].place for name in linked} == {number.place for number in faulty}
    assert "200 · 20 · 50 · 100 turns" in part.text
    assert set(page.all("a", "href")) <= {f"#{name}" for _, attrs in page.tags if (name := attrs.get("id"))}


def test_a_figure_that_differs_does_not_look_the_same(committed):
    text, _ = committed
    cells = row_of(text, "table6.rlm.f1.single-session-assistant")
    assert cells[1] == "0.620"
    assert cells[2].startswith("0.619")
    assert cells[5] == "≠ differs"


def test_the_page_loads_nothing_and_runs_nothing(committed):
    text, page = committed
    assert {name for name, _ in page.tags} & {"script", "link", "iframe", "object", "base"} == set()
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.all("img", "src"))
    assert not re.search(r"url\(|@import|https?://", text)
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert len(text.encode()) < 2_000_000


def test_every_picture_is_described_and_is_the_one_that_the_notebook_saved(committed):
    _, page = committed
    pictures = [b64decode(source.partition(",")[2]) for source in page.all("img", "src")]
    saved = [path.read_bytes() for path in sorted((COMMITTED / "figures").glob("*.svg"))]
    assert all(svg in pictures for svg in saved)
    assert len(pictures) >= 6  # Figures 2 and 3, Tables 5 and 6, and the three of 05
    assert all(len(alt) > 20 for alt in page.all("img", "alt"))
    assert page.text.count("Figure 2. ") == page.text.count("Figure 3. ") == 1


def test_the_tables_put_the_papers_figures_beside_ours(folder):
    put(folder, "01_niah", [("table2.characters.200", 14000.4, 2, None, None)])
    put(folder, "02_synthetic_longmemeval", [])
    put(folder, "03_longmemeval_s", [])
    truncation = {"method": "truncation", "em": 0}
    ask(folder, "01_niah", *(truncation | {"question_type": "200 pairs", "em": em} for em in (0, 1)))
    ask(folder, "02_synthetic_longmemeval", *({"question_type": "abstention", "f1": f1} for f1 in (0.5, 0.5)))
    parallel = {"method": "rlm-parallel"}
    ask(folder, "03_longmemeval_s", {}, {"em": 0, "error": "budget"}, truncation, truncation, parallel, parallel)
    text = Page(report.render(folder)).text
    for table in ("Table 2. ", "Table 3. ", "Table 4. ", "Table 5. ", "Table 6. "):
        assert text.count(table) == 1
    assert "200 14,398 14,000 0.200 0.500 [0.09, 0.91] " in text  # Wilson's, by hand
    assert "abstention 2 1.000 0.500 [0.50, 0.50] overall 2 0.691 0.500 [0.50, 0.50]" in text
    assert "rlm-sequential 0.460 0.500 [0.09, 0.91] 0.000 0.429 0.500 0.500 37,216 10 1.0 3.0 1 truncation" in text
    assert "multi-session 2 0.222 0.500 [0.09, 0.91] 0.000 0.000 [0.00, 0.66] 1.000 [0.34, 1.00]" in text
    assert "figures flatter it" in text


def test_provenance_names_every_notebook(committed):
    _, page = committed
    told = page.text[page.text.rindex("Provenance") :]
    assert all(book.name in told for book in NOTEBOOKS)
    document = json.loads((COMMITTED / "results" / "03_longmemeval_s.json").read_text())["provenance"]
    assert document["data_sha256"] in told
    assert document["commit"] in told
    asked = (COMMITTED / "results" / "03_longmemeval_s.questions.csv").read_text().count("\n") - 1
    assert f"{asked} asked, counted once per method; none failed" in told


def test_the_same_files_give_the_same_page_wherever_they_lie(tmp_path, committed):
    copy = tmp_path / "elsewhere"
    shutil.copytree(COMMITTED, copy)
    assert report.write(copy) == copy / "report.html"
    assert (copy / "report.html").read_text(encoding="utf-8") == committed[0]
    assert [path.name for path in copy.iterdir() if path.suffix == ".part"] == []


def test_a_report_stays_where_a_new_one_fails(folder):
    put(folder, "04_published_systems", [("table7.zep", 0.712, 500, None, None)], model="none")
    before = report.write(folder).read_text(encoding="utf-8")
    (folder / "results" / "04_published_systems.json").write_text("{")
    with pytest.raises(ValueError, match=r"04_published_systems\.json"):
        report.write(folder)
    assert (folder / "report.html").read_text(encoding="utf-8") == before


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"there are no results in .*; run rlm-memory reproduce first"):
        report.render(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a results document"),
        ("[]", "is not a results document"),
        ('{"provenance": {"model": "m", "versions": []}, "rows": []}', "is not a results document"),
        ('{"provenance": {"model": "m", "spent_usd": "much"}, "rows": []}', "is not a results document"),
        ('{"provenance": {"model": "m"}}', "is not a results document"),
    ],
)
def test_a_broken_results_document_is_named_in_one_line(folder, text, said):
    (folder / "results" / "06_paper_audit.json").write_text(text)
    with pytest.raises(ValueError, match=rf"06_paper_audit\.json {said}") as caught:
        report.render(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "holds no questions"),
        ([{"em": "yes"}], "is not a table of questions"),
        ([{"em": 2}], "has an em outside 0 to 1"),
        ([{"f1": ""}], "has an empty cell in the column f1"),
        ([{"question_type": ""}], "has an empty cell in the column question_type"),
        ([{}, {"method": "rag"}, {"method": "rag"}], "does not hold each question once for every method"),
        ([{"question_id": "q"}, {"question_id": "q"}], "does not hold each question once for every method"),
    ],
)
def test_a_broken_table_of_questions_is_named_in_one_line(folder, rows, said):
    put(folder, "03_longmemeval_s", [])
    ask(folder, "03_longmemeval_s", *rows)
    with pytest.raises(ValueError, match=rf"03_longmemeval_s\.questions\.csv {said}") as caught:
        report.render(folder)
    assert "\n" not in str(caught.value)


def test_a_table_of_questions_that_is_none_or_is_missing_is_named_too(folder):
    put(folder, "03_longmemeval_s", [])
    with pytest.raises(ValueError, match=r"has no 03_longmemeval_s\.questions\.csv beside it"):
        report.render(folder)
    for text in ("", "question_id,em\nq,1\n"):
        (folder / "results" / "03_longmemeval_s.questions.csv").write_text(text)
        with pytest.raises(ValueError, match=r"questions\.csv is not a table of questions"):
            report.render(folder)


def test_a_real_models_report_names_it_its_verdicts_its_failures_and_its_dollars(folder):
    put(
        folder, "03_longmemeval_s", [("table5.rlm.em", 0.44, 50, 0.31, 0.58), ("table5.rlm.seconds", 30.0, 50, 20, 40)],
        model="gpt-9", spent_usd=1.5,
    )  # fmt: skip
    ask(folder, "03_longmemeval_s", {"model": "gpt-9"}, {"model": "gpt-9", "em": 0, "error": "refused: <no key>"})
    text = report.render(folder)
    page = Page(text)
    assert "answered by gpt-9" in page.text
    assert "control and say nothing" not in page.text
    assert row_of(text, "table5.rlm.em")[3:6] == ["0.440 [0.310, 0.580] n = 50", "measured", "✓ agrees"]
    assert row_of(text, "table5.rlm.seconds")[3] == "30 s [20, 40] n = 50"
    assert "2 asked, counted once per method; 1 failed (the first: refused: <no key>)" in page.text
    assert "$1.50" in page.text
    assert "flatter" not in page.text


def test_the_offline_readers_seconds_are_not_set_beside_the_papers(committed):
    text, _ = committed
    assert row_of(text, "table5.rlm.seconds")[3] == ""


def test_notebooks_that_did_not_run_are_said(folder):
    put(folder, "04_published_systems", [], model="none: figures of others", spent_usd=None)
    page = Page(report.render(folder))
    assert "No notebook that asks a model has results here." in page.text
    assert page.text.count("it was not run, or skipped because its data is missing") == len(NOTEBOOKS) - 2
    assert page.text.count("It compares the results of the others with the paper.") == 1
    assert "not known, the model has no price" in page.text
    assert "Tables and figures" not in page.text


def test_rows_that_the_paper_does_not_have_are_shown_apart(folder):
    put(
        folder,
        "07_tomorrow",
        [("table5.rlm.judged", 0.5, 90, 0.4, 0.6), ("recomputed.new.thing", 12345.6, 1, None, None)],
    )
    text = report.render(folder)
    part = Page(text[text.index('<section id="further">') : text.index('<section id="provenance">')])
    assert (
        f"07_tomorrow 2 figures figure value interval n by table5.rlm.judged 0.5 [0.4, 0.6] 90 {OFFLINE}" in part.text
    )
    assert "recomputed.new.thing 12,346" in part.text


def test_what_files_say_is_text_and_never_markup(folder):
    bad = '<script>alert("x")</script>'
    put(folder, "03_longmemeval_s", [(bad, 1.0, 1, None, None)], model=bad, commit=bad, seed=bad, versions={bad: bad})
    ask(folder, "03_longmemeval_s", {"question_type": "<b>type</b>", "method": "<i>mine</i>"})
    (folder / "figures").mkdir()
    (folder / "figures" / "05_<b>.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{bad}</svg>')
    page = Page(report.render(folder))
    assert {name for name, _ in page.tags} & {"script", "b", "i"} == set()
    assert page.text.count(bad) >= 5


def test_a_figure_stands_in_its_section_with_its_caption(folder):
    put(folder, "03_longmemeval_s", [])
    ask(folder, "03_longmemeval_s", {})
    (folder / "figures").mkdir()
    own = b'<svg viewBox="0 0 600 100"></svg>'
    (folder / "figures" / "03_longmemeval_em.svg").write_bytes(own)
    (folder / "figures" / "99_other_thing.svg").write_bytes(own)
    shown, others = report_sections.sections(folder, read([]))
    assert [b64decode(each["data"].partition(",")[2]) for each in shown["pictures"]] == [own]
    assert shown["pictures"][0]["caption"].startswith("Tables 5 and 6 drawn")
    assert shown["pictures"][0]["wide"]
    assert [each["caption"] for each in others["pictures"]] == ["99 other thing"]
