import asyncio

import pytest
from simulated_time import run_simulated
from stragglers import Scenario, hedged_fan_outs, hedged_table


def test_a_scenario_draws_the_same_latencies_each_time_and_others_for_another_seed():
    assert Scenario(20, 1, stragglers=0.1).latencies == Scenario(20, 1, stragglers=0.1).latencies
    assert Scenario(20, 1).latencies != Scenario(20, 2).latencies


@pytest.mark.parametrize(("calls", "late"), [(10, 0), (50, 1), (500, 10)])
def test_exactly_the_share_of_the_calls_takes_ten_times_longer(calls, late):
    assert sorted(Scenario(calls, sigma=0.0, stragglers=0.02).latencies) == [1.0] * (calls - late) + [10.0] * late


def test_second_copies_draw_anew_and_straggle_as_often():
    scenario = Scenario(5_000, sigma=0.0, stragglers=0.02)
    copies = [scenario.latency(number, 1) for number in range(5_000)]
    assert 0.01 < sum(seconds == 10.0 for seconds in copies) / 5_000 < 0.03
    assert Scenario(5).latency(0, 1) != Scenario(5).latency(0, 0)


@pytest.mark.parametrize(("calls", "most", "extra", "seeds"), [(50, 0.55, 0.06, 20), (500, 0.35, 0.05, 5)])
def test_hedging_cuts_the_time_where_some_calls_straggle(calls, most, extra, seeds):
    fan_outs = hedged_fan_outs([calls], [0.02], seeds=seeds)
    assert fan_outs["ratio"].median() <= most
    assert (fan_outs["copies"] / calls).max() <= extra


@pytest.mark.parametrize("calls", [3, 10, 50, 200])
def test_hedging_makes_nothing_slower_where_no_call_straggles(calls):
    assert hedged_fan_outs([calls], [0.0], seeds=10)["ratio"].max() < 1.0 + 1e-6


def test_without_hedging_the_slowest_call_is_waited_for():
    fan_outs = hedged_fan_outs([50], [0.02], seeds=3, hedge=0.0)
    assert fan_outs["ratio"].tolist() == pytest.approx([1.0] * 3)
    assert fan_outs["copies"].tolist() == [0] * 3


def test_the_table_says_simulated():
    assert "simulated" in hedged_table(hedged_fan_outs([10], [0.0, 0.02], seeds=2)).index.names[1]


def test_simulated_time_costs_none():
    async def an_hour():
        await asyncio.gather(*(asyncio.sleep(second) for second in range(3_600)))
        return asyncio.get_running_loop().time()

    assert run_simulated(an_hour()) == 3_599


def test_a_simulation_runs_where_a_loop_runs_already_as_in_a_notebook():
    async def simulate():
        return run_simulated(asyncio.sleep(60, "done"))

    assert asyncio.run(simulate()) == "done"


def test_a_simulation_that_cannot_end_is_told(monkeypatch):
    monkeypatch.setattr("simulated_time._PATIENCE", 0.01)

    async def never():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="no timer"):
        run_simulated(never())
