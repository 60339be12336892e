from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.paper.audit import results
from rlm_memory_core.experiments.paper.audit_data import data_results
from rlm_memory_core.experiments.paper.audit_tables import PREFIX


def test_facts_of_the_data_are_as_the_files_have_them(logs):
    found = {result.id: result.value for result in data_results(logs)}
    assert found["section7.population"] == 500
    assert found["table5.caption.window"] == 32_000
    assert found["section5.4.types"] == 6
    assert found["table3.caption.samples"] == sum(found[name] for name in found if name.startswith("table1.n."))
    assert round(found["section5.4.history.turns"], 1) == 540.3
    assert round(found["readme.table.rlm.seconds"], 2) == 28.55
    assert set(found) <= set(paper.register())


def test_every_number_that_the_register_finds_in_the_files_is_recomputed(logs):
    recomputed = {result.id.removeprefix(PREFIX) for result in results(logs)}
    assert {each.id for each in paper.register().values() if each.recomputes} <= recomputed
