import asyncio

import pytest

from rlm_memory_core.experiments.run import reproduce
from rlm_memory_core.experiments.run.options import Options, literal, settings
from rlm_memory_core.experiments.run.remembered import Remembered
from rlm_memory_core.models.types import Request, Response


def test_lists_given_as_text_become_lists_and_nothing_else_changes():
    given = {"turns": "[20, 50]", "sample": "paper", "options": "{'hedge': 0.2}", "_i1": "[1]", "note": "[not a list"}
    assert settings(given).hedge == 0.2
    assert given["turns"] == [20, 50]
    assert (given["sample"], given["_i1"], given["note"]) == ("paper", "[1]", "[not a list")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"hegde": 1}, "no option is called hegde; there are base_url"), ({"model": "m"}, "called model"), ("x", "names")],
)
def test_a_wrong_option_is_said(options, said):
    with pytest.raises(ValueError, match=said):
        settings({"options": options})


def test_only_what_was_changed_goes_into_a_notebook():
    assert Options("m").changed() == {}
    assert Options("m", rates=(1.0, 2.0), dask="tcp://x").changed() == {"rates": [1.0, 2.0], "dask": "tcp://x"}


@pytest.mark.parametrize("text", ["paper", "[1, 2", "a b", ""])
def test_what_is_no_literal_stays_text(text):
    assert literal(text) == text


def test_the_same_request_is_answered_once_and_another_one_anew():
    asked = []

    class Backend:
        async def send(self, request):
            asked.append(request)
            return Response(f"answer {len(asked)}")

    remembered = Remembered(Backend())

    async def ask(*bodies):
        return [(await remembered.send(Request("/chat/completions", body))).text for body in bodies]

    answers = asyncio.run(ask({"a": 1}, {"a": 2}, {"a": 1}))
    assert answers == ["answer 1", "answer 2", "answer 1"]


def prepared(*only, sample="", **flags):
    return {
        book.notebook.name[:2]: book
        for book in reproduce.prepare(reproduce.make_plan(flags, {}, only=only, sample=sample))
    }


@pytest.mark.parametrize(
    ("sample", "runs", "n_per_type"), [("8", 2, 2), ("1", 1, 1), ("1000", 5, 10), ("paper", None, None)]
)
def test_the_sample_holds_for_every_notebook_that_asks(sample, runs, n_per_type):
    books = prepared("01", "02", sample=sample)
    assert books["01"].parameters.get("runs") == runs
    assert books["02"].parameters.get("n_per_type") == n_per_type


def test_a_smaller_sample_costs_less():
    few, many = (prepared("01", "02", sample=sample, model="gpt-4o-mini") for sample in ("4", "40"))
    for name in ("01", "02"):
        assert 0 < few[name].estimate.usage.calls < many[name].estimate.usage.calls
        assert few[name].questions < many[name].questions


@pytest.mark.parametrize("sample", ["some", "0", "-3", "1.5"])
def test_what_is_no_sample_is_said(sample):
    with pytest.raises(reproduce.ReproduceError, match="sample must be paper, all or a number"):
        prepared("01", sample=sample)
