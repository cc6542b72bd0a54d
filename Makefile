# Two of these do everything: `make lab` opens the lab, `make test` installs what the tests need and
# runs them. The rest is for those who work on it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
TESTED := $(VENV)/installed-tests

.PHONY: lab install test test-plain check bench bench-tui screenshots clean

lab: $(STAMP)
	@$(BIN)/container-lab

install: $(STAMP)

$(VENV)/bin/python3:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "container-lab: needs Python 3.11 or newer, $(PYTHON) is older (make lab PYTHON=python3.12)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "container-lab: make a virtual environment: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(STAMP): pyproject.toml assets/bin/container-lab | $(VENV)/bin/python3
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(TESTED): $(STAMP)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

test: $(TESTED)
	@assets/ci/peers
	$(BIN)/python -m pytest $(ARGS)

# What needs no root and no kernel of one's own: for a first look on any machine.
test-plain: $(TESTED)
	$(BIN)/python -m pytest -m 'not kernel and not lesson and not conformance' $(ARGS)

check: $(TESTED)
	$(BIN)/ruff check runtime lab tests
	$(BIN)/mypy

bench: $(TESTED)
	$(BIN)/python tests/benchmarks/bench_start.py $(ARGS)

bench-tui: $(TESTED)
	$(BIN)/python tests/benchmarks/bench_tui.py $(ARGS)

screenshots: $(STAMP)
	$(BIN)/python -m lab.screenshots assets/screenshots

clean:
	$(BIN)/container-lab clean
