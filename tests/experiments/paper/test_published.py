from rlm_memory_core.experiments.paper import published_tables
from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper.checks import KINDS
from rlm_memory_core.experiments.paper.scorecard import read, scorecard


def figures():
    return published_tables.published()["figure"]


def facts():
    return published_tables.published()["fact"]


def test_the_rows_of_table_7_are_all_there_in_order():
    rows = [name for name, number in paper.register().items() if name.startswith("table7.") and number.row]
    assert [figure["id"] for figure in figures()] == rows


def test_every_figure_rounds_to_what_the_paper_prints():
    for figure in figures():
        printed = paper.register()[figure["id"]]
        assert abs(figure["value"] - printed.value) <= 0.05 + 1e-9
        assert figure["url"].startswith("https://")
        assert figure["how"]


def test_the_registers_cited_figures_are_those_of_the_sources():
    by_id = {figure["id"]: figure for figure in figures()}
    for name, number in paper.register().items():
        origin = paper.source(number, paper.register())
        if name in by_id and origin.published is not None:
            assert by_id[name]["value"] == origin.published


def test_every_entry_is_in_the_register_and_says_how_it_was_checked():
    for entry in [*figures(), *facts()]:
        assert entry["id"] in paper.register()
        assert entry["checked"] in ("full text", "own page", "third party", "not verified"), entry["id"]
    for figure in figures():
        assert figure["averaged"] in ("questions", "types"), figure["id"]


def test_the_entries_of_a_list_have_the_same_keys():
    assert len({frozenset(figure) for figure in figures()}) == 1
    assert {frozenset(set(fact) - {"value"}) for fact in facts()} == {frozenset(["id", "finding", "url", "checked"])}


def test_the_types_have_the_benchmarks_500_questions():
    types = published_tables.published()["types"]
    assert sum(types["questions"].values()) == 500
    for each in [types["questions"], *(system["scores"] for system in types["scores"])]:
        assert set(each) == set(KINDS)


def test_a_share_of_whole_questions():
    table = published_tables.whole_questions()
    assert table.loc["MemBuilder, Qwen3-4B writes the memory"].tolist() == ["85.75%", "", "343", "none (428.75)"]
    assert table.loc["Observational Memory, gpt-5-mini", "of 500"] == "none (474.35)"
    assert table.loc["Zep/Graphiti, gpt-4o", "of 500"] == "356"


def test_like_for_like_gives_the_audits_interval():
    row = published_tables.like_for_like().loc["single-session-user"]
    assert row["RLM, containment EM"] == "87.5% [64, 97], n = 16"
    assert row["full context, judged"] == "81.4% [71, 89], n = 70"
    assert row["RLM and full context"] == "intervals overlap"


def test_the_paper_s_mix_by_hand():
    mixed = published_tables.same_mix()["on the paper's mix"]
    assert mixed.tolist() == ["46.0%", "57.5%", "65.8%"]


def test_hindsights_types_add_up_and_zeps_do_not():
    table = published_tables.types_add_up().set_index("overall, printed")["weighted by questions"]
    assert table["91.4"] == "91.4"
    assert (table["71.2"], table["60.2"]) == ("70.4", "59.2")


def test_what_was_not_verified_says_so():
    table = published_tables.facts()
    assert set(table["checked"]) == {"own page", "third party", "not verified"}
    ours = {result.id for result in published_tables.results()}
    for fact in facts():
        assert (f"recomputed.{fact['id']}" in ours) == (fact["checked"] != "not verified")


def test_the_results_give_cited_numbers_their_verdict():
    evidence = read([])
    for result in published_tables.results():
        figure = [result.id, result.value, result.n, None, None]
        evidence.loc[len(evidence)] = [*figure, "04_published_systems", "none", ""]
    card = scorecard(paper.register(), evidence).set_index("id")
    assert card.loc["section2.abilities", ["status", "verdict"]].tolist() == ["cited", "agrees"]
    assert card.loc["readme.table.limit.tokens", "verdict"] == "agrees"
    assert card.loc["section2.memory-systems.low", "verdict"] == "none"
