import pytest
from questions import TALKS

from rlm_memory_core import connect
from rlm_memory_core.experiments.data.assets import DataBroken, DataUnavailable
from rlm_memory_core.experiments.paper import audit_costs
from rlm_memory_core.experiments.paper import registry as paper
from rlm_memory_core.experiments.run.estimate import estimate
from rlm_memory_core.experiments.run.optional import at_hand, told
from rlm_memory_core.experiments.show import costs, drawing, figures_cost, latency
from rlm_memory_core.search.word_index import split


@pytest.fixture(scope="module")
def timed():
    return latency.fan_out([3, 30], median=1.0, time_scale=0.02)


@pytest.fixture(scope="module")
def lengths():
    return costs.by_length([50, 500, 5_000])


class TestFanOut:
    def test_every_way_of_sending_waits_for_the_same_latencies(self, timed):
        for _, rows in timed.groupby("calls"):
            assert len(rows) == 3
            assert rows["total"].max() == pytest.approx(rows["total"].min())  # summed in another order
            assert rows["slowest"].nunique() == 1

    def test_one_after_another_is_the_sum_and_nothing_is_faster_than_the_slowest(self, timed):
        sequential = timed[timed["arm"] == latency.SEQUENTIAL]
        assert (sequential["seconds"] == sequential["total"]).all()
        assert (timed["ratio"] >= 1).all()

    def test_no_result_passes_for_a_number_of_the_paper(self, timed):
        names = [result.id for result in latency.fan_out_results(timed)]
        assert len(set(names)) == len(names) == 18
        assert all(name.startswith("simulated.") for name in names)
        assert not set(names) & set(paper.register())

    def test_the_table_says_that_it_is_simulated(self, timed):
        table = latency.fan_out_table(timed)
        assert "simulated" in str(table.index.names)
        assert table.loc[("30", latency.SEQUENTIAL), "speed-up"] == "1.0x"

    def test_the_real_fan_out_is_near_the_arithmetic(self, timed):
        prompts = timed[(timed["calls"] == 30) & (timed["arm"] == latency.PAPER)].iloc[0]
        assert prompts["seconds"] >= prompts["total"] / 20


class TestCosts:
    def test_a_scan_is_linear_in_the_history_and_truncation_is_constant(self, lengths):
        usd = lengths.pivot(index="sessions", columns="method", values="usd")
        assert usd.loc[5_000, "rlm-parallel"] / usd.loc[50, "rlm-parallel"] == pytest.approx(100, rel=0.05)
        assert usd["truncation"].nunique() == 1

    def test_sizes_alone_give_what_the_history_itself_gives(self):
        pieces = [len(piece.text) for session in TALKS.store().sessions for piece in split(session)]
        whole = estimate(["rlm-parallel"], [TALKS], 32_000, connect("offline")).usage
        assert costs.usage("rlm-parallel", pieces, [], 32_000) == whole

    def test_the_papers_tokens_at_the_price_of_prompts(self):
        shown = costs.bill().loc["37,216 tokens, were they all prompts"]
        assert shown["gpt-4o-mini"] == "$0.0056"  # 37,216 x $0.15 a million

    def test_a_model_without_a_price_is_refused(self):
        with pytest.raises(ValueError, match="price of nobody's model"):
            costs.bill(["nobody's model"])

    def test_real_scans_count_one_call_a_session(self):
        scans = costs.real_scans([TALKS, TALKS])
        assert scans["calls"].tolist() == [19, 19]
        assert costs.real_scans_table(scans).loc["calls of one full scan", "mean"] == "19.0"

    def test_only_what_the_paper_speaks_of_bears_its_ids(self, lengths):
        found = {result.id: result for result in costs.results(lengths, scans=costs.real_scans([TALKS]))}
        of_the_paper = {name for name in found if name.removeprefix("recomputed.") in paper.register()}
        assert of_the_paper == {"section6.iterations.limit", "recomputed.section6.usd", "section7.calls"}
        assert found["section7.calls"].value == 19
        assert found["section6.iterations.limit"].value == paper.value("section6.iterations.limit")

    def test_without_logs_and_histories_the_rest_is_there(self, lengths):
        names = {result.id for result in costs.results(lengths)}
        assert "estimated.history.50.usd" in names
        assert not [name for name in names if name.startswith("logged.") or name == "section7.calls"]

    def test_the_authors_logs(self):
        try:
            answers = costs.paper_logs.load(download=False).answers
        except DataUnavailable as error:
            pytest.skip(str(error))
        claims = audit_costs.logged_claims(answers)
        assert claims["verdict"].tolist() == ["holds"] + 4 * ["does not hold"]
        assert claims.loc["seconds of a simple query", "its logs"] == "25 of 49 single-session questions"


class TestFigures:
    def figures(self, timed, lengths):
        return [figures_cost.fan_out(timed), figures_cost.dollars(lengths, 0.005)]

    def test_they_name_their_lines_and_what_is_simulated_or_estimated(self, timed, lengths):
        for figure in self.figures(timed, lengths):
            axes = figure.axes[0]
            assert "simulated" in axes.get_title(loc="left") or "estimated" in axes.get_title(loc="left")
            assert len(axes.texts) == 3

    def test_the_same_figure_is_saved_as_the_same_bytes(self, timed, lengths, tmp_path):
        for folder in ("a", "b"):
            drawing.save(figures_cost.dollars(lengths, 0.005), tmp_path / folder, "f")
        for name in ("f.png", "f.svg"):
            first, second = ((tmp_path / folder / "figures" / name).read_bytes() for folder in ("a", "b"))
            assert first == second

    def test_without_a_folder_nothing_is_written(self, lengths, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        drawing.save(figures_cost.dollars(lengths, 0.005), "", "f")
        assert not list(tmp_path.iterdir())


class TestOptional:
    def test_what_is_missing_is_said_in_one_line(self, capsys):
        def load(name):
            raise DataUnavailable(f"{name} is\nnowhere")

        assert at_hand("The logs", load, "it") is None
        assert capsys.readouterr().out == (
            "The logs are missing, so everything that needs them is left out: it is nowhere\n"
        )

    def test_what_is_damaged_is_an_error(self):
        def load():
            raise DataBroken("it is damaged")

        with pytest.raises(DataBroken):
            at_hand("The logs", load)

    def test_a_table_of_nothing_is_not_shown(self):
        assert told(latency.fan_out_table, None) is None
