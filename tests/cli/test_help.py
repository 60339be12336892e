import argparse
import os
import subprocess
import sys

import pytest

from rlm_memory_core.cli import main as cli
from rlm_memory_core.models.hedging import HEDGE
from rlm_memory_core.models.recorded_calls import MODES


def commands(parser=None, words=()):
    """Each command's words and parser."""
    parser = parser or cli.parser()
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield words, parser
    for action in inner:
        for name, part in action.choices.items():
            yield from commands(part, (*words, name))


COMMANDS = dict(commands())


@pytest.mark.parametrize("arguments", [(), *COMMANDS], ids=" ".join)
def test_help_imports_nothing_that_takes_long(arguments):
    script = f"""
import sys
from rlm_memory_core.cli.main import main
try:
    main({[*arguments, "--help"]})
except SystemExit:
    pass
parts = ("models.llm", "search", "repl", "query", "chat", "store", "offline", "views", "experiments")
heavy = ["asyncio", "numpy", "openai", "pandas", "sqlite3", "pydantic_monty"]
heavy += [f"rlm_memory_core.{{part}}" for part in parts]
print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert done.stdout.startswith("usage: rlm-memory")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_reads_and_every_option_what_it_does(words):
    part = COMMANDS[words]
    assert any(word in part.description for word in ("HISTORY is", "Reads "))
    assert all(action.help for action in part._actions)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "rlm-memory: the following arguments are required: COMMAND (see rlm-memory --help)\n"),
        (["ask"], "rlm-memory: the following arguments are required: HISTORY (see rlm-memory ask --help)\n"),
        (["show", "h", "x"], "rlm-memory: unrecognized arguments: x (see rlm-memory --help)\n"),
        (
            ["show", "h", "--serch", "x"],
            "rlm-memory: there is no option --serch; did you mean --search? (see rlm-memory show --help)\n",
        ),
        (
            ["import", "h", "--stroe=h.db"],
            "rlm-memory: there is no option --stroe; did you mean --store? (see rlm-memory import --help)\n",
        ),
        (["mcp", "--wxyz"], "rlm-memory: there is no option --wxyz (see rlm-memory mcp --help)\n"),
        (
            ["calls", "list", "--model"],
            "rlm-memory: argument --model: expected one argument (see rlm-memory calls list --help)\n",
        ),
    ],
)
def test_wrong_arguments_are_one_line(capsys, arguments, line):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert (ended.value.code, *capsys.readouterr()) == (2, "", line)


@pytest.mark.parametrize("zone", ["Mars", "Europe", "../x", ""])
def test_a_time_zone_that_is_none_is_one_line(capsys, zone):
    with pytest.raises(SystemExit):
        cli.main(["import", "h", "--store", "s", "--tz", zone])
    line = (
        f"rlm-memory: argument --tz: '{zone}' is not a time zone such as Europe/Berlin (see rlm-memory import --help)\n"
    )
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    "words", [["ask", "h", "Who?"], ["reproduce"], ["estimate"], ["serve"], ["mcp", "--store", "h"]]
)
def test_a_server_needs_the_name_of_its_model(capsys, words):
    with pytest.raises(SystemExit):
        cli.main([*words, "--base-url", "http://127.0.0.1:9/v1"])
    line = f"rlm-memory: --base-url needs --model: which model of this server? (see rlm-memory {words[0]} --help)\n"
    assert capsys.readouterr().err == line


def test_a_model_that_is_not_named_is_the_offline_reader_or_for_mcp_and_calls_none():
    parsed = {words[0]: cli.parser().parse_args(words).model for words in (
        ["ask", "h", "Who?"], ["reproduce"], ["serve"], ["mcp", "--store", "h"], ["calls", "list"])}  # fmt: skip
    assert parsed == {"ask": "offline", "reproduce": "offline", "serve": "offline", "mcp": None, "calls": None}


def test_words_that_begin_with_dashes_are_questions_after_two_dashes_or_with_blanks():
    assert cli.parser().parse_args(["ask", "h", "--", "--serch"]).question == "--serch"
    assert cli.parser().parse_args(["ask", "h", "--what is it"]).question == "--what is it"


def test_what_the_parser_repeats_is_what_the_package_says():
    assert COMMANDS["reproduce",].get_default("hedge") == HEDGE
    (recorded,) = [action for action in COMMANDS["ask",]._actions if action.dest == "recorded"]
    assert set(recorded.choices) == set(MODES)


@pytest.mark.parametrize(("given", "name"), [("1", "01"), ("01", "01"), ("01_niah", "01_niah"), ("99", "99")])
def test_a_notebook_may_be_named_without_its_zero(given, name):
    assert cli.parser().parse_args(["reproduce", "--only", given]).only == [name]


@pytest.mark.parametrize("text", ["[20,50]", "20,50", "(20, 50)", " [20, 50] "])
def test_a_list_is_a_list_however_it_is_written(capsys, text):
    server = ["--model", "m", "--base-url", "http://127.0.0.1:9/v1"]  # estimating asks nobody
    assert cli.main(["estimate", "--only", "1", "-p", "turns", text, *server]) == 0
    assert capsys.readouterr().out.startswith("01_niah: 60 calls")


def test_an_extra_that_is_missing_is_one_line():
    without = "import sys; sys.modules['pandas'] = None; from rlm_memory_core.cli import main; sys.exit(main.main())"
    done = subprocess.run([sys.executable, "-c", without, "reproduce"], capture_output=True, text=True, check=False)
    line = 'rlm-memory: pandas is not installed; run pip install "rlm-memory[notebooks]"\n'
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_the_shell_completes_commands_options_and_files(tmp_path):
    argcomplete = pytest.importorskip("argcomplete")
    (tmp_path / "history.jsonl").write_text("")

    def completed(line):
        environment = {
            "_ARGCOMPLETE": "1", "_ARGCOMPLETE_SHELL": "bash", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line,
            "COMP_POINT": str(len(line)), "COMP_TYPE": "9", "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "out"),
        }  # fmt: skip
        command = [sys.executable, "-m", "rlm_memory_core"]
        subprocess.run(command, env={**os.environ, **environment}, cwd=tmp_path, timeout=60, check=False)
        return (tmp_path / "out").read_text().split("\n")

    assert argcomplete
    assert [word.strip() for word in completed("rlm-memory rep")] == ["reproduce", "report"]
    assert completed("rlm-memory ask --recorded of") == ["off "]
    assert completed("rlm-memory show hist") == ["history.jsonl "]
    assert completed("rlm-memory serve --prot 8 --thr") == ["--threshold "]


@pytest.mark.parametrize("command", ["estimate", "report"])
def test_an_option_that_a_command_would_ignore_is_refused(capsys, command):
    with pytest.raises(SystemExit):
        cli.main([command, "--dask", "tcp://scheduler:8786"])
    assert "--dask" in capsys.readouterr().err
