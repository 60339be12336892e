import re
from pathlib import Path

import pytest

from rlm_memory_core import MemoryRLM, Reading, Step, Trace, Usage, connect
from rlm_memory_core.offline import OfflineReader

nbval = pytest.importorskip("nbval.plugin")
ROOT = Path(__file__).parent.parent.parent


def bars(page):
    return [value for tag, name, value in page.attributes if tag == "rect" and name == "class"]


def test_each_call_has_a_bar_that_says_what_became_of_it(call, trace, parsed):
    calls = (
        call(),
        call(number=2, reply="NOT_FOUND", recorded=True),
        call(number=3, reply="", error="no answer within 120 s"),
        call(number=4, usage=Usage(200, 20, 2)),
    )
    page = parsed(trace(*calls)._repr_html_())
    assert bars(page) == [
        "rlm-k-root",
        "rlm-k-found",
        "rlm-k-nothing rlm-replayed",
        "rlm-k-failed",
        "rlm-k-found rlm-copied",
        "rlm-k-root",
    ]
    assert page.tags.count("title") == 6
    assert (
        "session 3, 2023/05/20 (Sat) 02:21; 110 tokens, $0.001, 2.0 s from 900 ms\nno answer within 120 s" in page.text
    )
    assert "4 sub-agents 550 tokens, $0.004" in page.text
    assert "1 failed" in page.text


def test_bars_stand_on_the_axis_where_the_calls_ran(call, trace, parsed):
    page = parsed(trace(call(started=1.0, seconds=2.0))._repr_html_())
    places = [value for tag, name, value in page.attributes if tag == "rect" and name in ("x", "width")]
    assert places == ["0.0%", "25.0%", "27.78%", "55.56%", "86.11%", "13.89%"]


def test_steps_show_message_output_tokens_and_cost(call, trace, parsed):
    page = parsed(trace(call())._repr_html_())
    assert page.tags.count("details") == 2
    for said in ("I will ask.\n```repl\nprint(1)\n```", "FINAL(1)", "it printed", "root model 55 tokens, $0.01"):
        assert said in page.text
    assert "code that ran" not in page.text  # it is in the message
    assert "code that ran" in parsed(trace(code=("print(2)",))._repr_html_()).text


def test_thoughts_are_folded_and_short(call, trace, parsed):
    thought = "Hm, <em>which</em> cat? " * 1_000
    html = trace(call(thoughts="The cat again."), thoughts=thought)._repr_html_()
    page = parsed(html)
    assert page.tags.count("details") == 2 + 2
    assert page.text.count("it thought first") == 2
    assert "The cat again." in page.text
    assert "Hm, <em>which</em> cat?" in page.text
    assert "em" not in page.tags
    assert len(html) < 30_000
    assert "it thought first" not in parsed(trace(call())._repr_html_()).text


def test_five_hundred_calls_are_thin_bars_and_the_tables_hold_the_telling_ones(call, trace, parsed):
    calls = [call(number=number, reply="NOT_FOUND", started=1 + number / 1000) for number in range(1, 501)]
    calls[300] = call(number=301, reply="", error="the server is away")
    calls[400] = call(number=401, reply="found it")
    html = trace(*calls)._repr_html_()
    page = parsed(html)
    assert len(bars(page)) == 502
    assert {float(value) for tag, name, value in page.attributes if tag == "rect" and name == "height"} == {1}
    assert (
        max(float(value) for tag, name, value in page.attributes if tag == "rect" and name == "y") < 300
    )  # all at once
    rows = [text for text in re.findall(r"<tr>(.*?)</tr>", html) if "<td" in text]
    assert len(rows) == 25
    assert "the server is away" in rows[-2]
    assert "found it" in rows[-1]
    assert "and 475 calls more" in page.text
    assert len(html) < 200_000


def test_nothing_a_model_or_a_history_says_becomes_part_of_the_page(call, trace, parsed, hostile):
    made = trace(
        call(reply=hostile, date=hostile, thoughts=hostile), call(reply="", error=hostile), reply=hostile,
        code=(hostile,), output=hostile, thoughts=hostile,
    )  # fmt: skip
    for html in (made._repr_html_(), made.to_html()):
        page = parsed(html)
        assert not {"script", "img"} & set(page.tags)
        assert not [name for _, name, _ in page.attributes if name.startswith("on")]
        assert "{{ 7 * 7 }} &amp;" in page.text
        assert not re.search("[\u202e\x1b]", html)
    assert not re.search("[\u202e\x1b]", str(made))


@pytest.mark.slow
def test_sizes_are_bounded_whatever_is_said(call, trace):
    huge = "<&" * 1_000_000
    calls = [call(number=number, reply="<&" * 500, error="<&" * 500 if number % 2 else "") for number in range(5_000)]
    calls[:2] = call(reply=huge, date=huge, session=huge), call(error=huge)
    made = trace(*calls, reply=huge, code=(huge,), output=huge)
    many = Trace(made.steps + (Step("x", (), "", (), Usage(), 0.0, 0.1),) * 5_000)
    assert len(made._repr_html_()) < 2_500_000
    assert len(many.to_html()) < 4_000_000
    assert len(str(made)) < 40_000
    assert len(repr(made)) < 200


def test_the_page_stands_alone(call, trace, parsed, tmp_path):
    path = tmp_path / "trace.html"
    html = trace(call()).to_html(path)
    assert path.read_text(encoding="utf-8") == html
    page = parsed(html.removeprefix("<!DOCTYPE html>"))
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not [value for _, name, value in page.attributes if name in ("src", "href")]
    assert not re.search(r"url\(|@import", html)
    assert "default-src 'none'" in html


def test_an_empty_trace_can_be_shown(parsed):
    assert "0 steps" in parsed(Trace()._repr_html_()).text
    assert (str(Trace()), repr(Trace())) == ("", "<Trace: 0 steps, 0 sub-agent calls, 0 tokens>")


def test_calls_are_not_written_out_with_what_they_read(call):
    assert "Got it." not in repr(call())


def test_committed_views_compare_from_run_to_run(diary, tmp_path):
    """What nbval compares after `notebooks/nbval.cfg` is the same for a run and its replay; and is not nothing."""
    patterns = nbval.get_sanitize_patterns((ROOT / "notebooks" / "nbval.cfg").read_text(encoding="utf-8"))
    assert len(patterns) == 3

    def sanitised(text):
        for regex, replacement in patterns:
            text = re.sub(regex, replacement, text)
        return text

    llm = connect(
        "m", "http://m.invalid/v1", rates=(0, 0), wrap=lambda server: OfflineReader(), calls_path=tmp_path / "calls.db"
    )  # its calls are recorded, as those of "offline" are not
    engine = MemoryRLM(llm, reading=Reading("paper"))
    first, again = (engine.query(diary, "What is my cat called?") for _ in range(2))
    assert again.trace.calls[0].recorded
    assert not first.trace.calls[0].recorded
    for view in (
        lambda answer: answer._repr_html_(),
        lambda answer: repr(answer),
        lambda answer: answer.trace._repr_html_(),
        lambda answer: repr(answer.trace),
        lambda answer: str(answer.trace),
    ):
        assert sanitised(view(first)) == sanitised(view(again))
    assert str(first.trace) != str(again.trace)
    assert "Mochi" in sanitised(first._repr_html_())
    assert "sub-agents" in sanitised(first.trace._repr_html_())
    assert not re.search(r"\d m?s\b", sanitised(first.trace._repr_html_().partition("</style>")[2].replace("0 s<", "")))


def test_the_legend_names_what_is_there(call, trace, parsed):
    live, replayed = (trace(call(recorded=recorded), recorded=recorded)._repr_html_() for recorded in (False, True))
    assert "pale: replayed" not in live
    assert "pale: replayed" in parsed(replayed).text
    assert "code, no call" not in live
    waited = trace(call(started=1.0, seconds=0.1))._repr_html_()
    assert "code, no call" in parsed(waited).text
    assert "step 1: code; 2.0 s from 1.1 s" in parsed(waited).text
    assert 'class="rlm-k-code"' in waited


def test_cost_and_seconds_are_beside_a_call_and_below_it_on_a_narrow_screen(call, trace):
    html = trace(call())._repr_html_()
    (row,) = [text for text in re.findall(r"<tr>(.*?)</tr>", html) if "<td" in text]
    assert row.count("$0.001") == row.count("2.0 s") == 2
    assert 'class="rlm-narrow rlm-quiet">$0.001' in row
