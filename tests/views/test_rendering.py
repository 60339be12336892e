import sys
import types

import pytest

from rlm_memory_core.views.rendering import clip, duration, in_one_line, render, show


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202egnp.exe", "\u2066x", "\x00", "\x85", "\r"])
def test_what_would_steer_a_terminal_or_turn_the_text_around_it_is_spelled_out(text):
    assert text[0] not in clip(text, 100)
    assert clip(text, 100).startswith("\\")


def test_text_of_any_language_and_its_lines_stay_as_they_are():
    said = "שלום\u200f, café\n\tنعم 👩‍👩‍👧"
    assert clip(said, 100) == said
    assert clip("a\r\nb", 100) == "a\nb"


def test_a_cut_text_keeps_its_head_and_its_tail_and_says_how_much_is_gone():
    cut = clip("a" * 900 + "b" * 100, 100)
    assert cut == "a" * 75 + " [… 900 characters …] " + "b" * 25


def test_an_opening_is_one_line_however_long_the_text():
    assert in_one_line("x\n" * 10_000_000, 20) == "x x x x x x x x x x…"
    assert in_one_line("  short \n text ", 20) == "short text"
    assert len(in_one_line("\x00" * 50, 20)) == 20


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "0 ms"), (0.9996, "1.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (4_000.0, "4,000 s")]
)
def test_seconds_are_as_long_as_they_need_to_be(seconds, said):
    assert duration(seconds) == said


def test_a_template_that_lacks_a_value_is_an_error_not_a_hole():
    with pytest.raises(Exception, match="undefined"):
        render("store")


def test_outside_a_notebook_the_text_is_printed(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    show("<b>Mochi</b>", "Mochi")
    assert capsys.readouterr().out == "Mochi\n"


def test_in_a_notebook_both_forms_are_displayed(monkeypatch):
    shown = []
    display = types.ModuleType("IPython.display")
    display.display = lambda data, raw: shown.append((data, raw))
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = object
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    show("<b>Mochi</b>", "Mochi")
    assert shown == [({"text/html": "<b>Mochi</b>", "text/plain": "Mochi"}, True)]
