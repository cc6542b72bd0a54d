# Two of these do everything: `make lab` opens the lab, `make test` installs what the tests need and
# runs them. The rest is for those who work on it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
V2 := tests/runtime/cgroup
STAMP := $(VENV)/installed
TESTED := $(VENV)/installed-tests

.PHONY: lab install test test-v2 test-v2-all test-plain check bench bench-tui soak screenshots clean

lab: $(STAMP)
	@$(BIN)/container-lab

install: $(STAMP)

$(VENV)/bin/python3:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "container-lab: needs Python 3.11 or newer, $(PYTHON) is older (make lab PYTHON=python3.12)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "container-lab: make a virtual environment: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(STAMP): pyproject.toml assets/bin/container-lab assets/bin/container-lab-oci | $(VENV)/bin/python3
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(TESTED): $(STAMP)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

test: $(TESTED)
	@assets/ci/peers
	$(BIN)/python -m pytest -m 'not v2' $(ARGS)
	@$(MAKE) --no-print-directory test-v2

# The same runtime on a pure cgroup v2, in a machine of QEMU's; the tests inside are some thirty times
# slower than outside, so only those that can tell the two generations apart.
MACHINE := $(BIN)/container-lab vm
INSIDE := $(BIN)/python -m pytest -p no:cacheprovider --timeout 900

test-v2: $(TESTED)
	@if assets/ci/machine; then \
	  $(BIN)/python -m pytest -m v2 && \
	  $(MACHINE) -- $(INSIDE) $(V2); \
	fi

test-v2-all: $(TESTED)
	@assets/ci/machine
	$(MACHINE) --memory 4G -- $(INSIDE) -m 'kernel or lesson' tests

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

# Some minutes: 1,000 starts and stops one after the other and 200 at once, and SIGKILL at every
# single operation. The ring of kernel tests has a few of each.
soak: $(TESTED)
	CONTAINER_LAB_SOAK="1000 200" CONTAINER_LAB_KILLS=all $(BIN)/python -m pytest \
	  -o timeout=3600 tests/runtime/oci/test_cli_soak.py tests/runtime/oci/test_cli_kills.py $(ARGS)

screenshots: $(STAMP)
	$(BIN)/python -m lab.screenshots assets/screenshots

clean:
	$(BIN)/container-lab clean
