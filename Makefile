# Everything a newcomer runs. It needs make and Python 3.11 or newer, and sets up the rest itself:
# once a target has run, it runs again without a network.

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PYTHON ?=

# Whatever is installed stands in a lock with its hash, and is a wheel: no package's own build
# script runs on this machine.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED := --require-hashes --only-binary :all:

PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes \
	--strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --no-emit-options

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

.PHONY: help demo test lint format docs proto rulebook bench torture mutants lock clean

help: ## show this list
	@echo "make demo            shows a small data space at work on this machine"
	@echo "make test            runs the tests"
	@echo
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  %-10s %s\n' "$$name" "$$text"; done
	@echo
	@echo "ARGS=… hands options on: make demo ARGS=--once, make test ARGS='tests/ledger -x'."
	@echo "PYTHON=… names the Python to set up with, where more than one is installed."

demo: $(VENV)/project.stamp ## start a small data space and tell what happens (ARGS=--once: run through and end)
	@$(BIN)/bylag demo $(ARGS)

test: $(VENV)/dev.stamp ## run the tests, all but the torture runs and the one that moves gigabytes
	$(BIN)/python -m pytest -m "not torture and not large" $(ARGS)

lint: $(VENV)/dev.stamp ## check style, types, the arrows between rooms, and the protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint proto

format: $(VENV)/dev.stamp ## bring the code into its one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: $(VENV)/dev.stamp ## write connector/v1 from proto/
	$(BIN)/python proto/generate.py

docs: $(VENV)/dev.stamp ## write the generated parts of docs/
	$(BIN)/python docs/generate.py
	$(BIN)/python -m connector.cli.page docs/cli.md
	$(BIN)/python -m connector.policy.coverage_page docs/odrl-coverage.md

rulebook: $(VENV)/dev.stamp ## build connector/policy/rulebook.tar.gz from policies/ (needs opa)
	$(BIN)/python -m connector.policy.build

bench: $(VENV)/dev.stamp ## measure, each figure against a baseline in the same run
	$(BIN)/python -m tests.benchmarks $(ARGS)

torture: $(VENV)/dev.stamp ## the long fault-injection runs
	$(BIN)/python -m pytest -m torture $(ARGS)

mutants: $(VENV)/dev.stamp ## take each control of docs/security.md out, and see whether its tests notice
	@$(BIN)/python -m tests.mutants $(ARGS)

lock: $(VENV)/dev.stamp ## write requirements/*.txt (ARGS=--upgrade: with the newest versions)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and \
		"The locks are made with Python 3.11, the oldest that bylag supports: make clean lock PYTHON=python3.11")'
	$(PIP_COMPILE) $(ARGS) -o requirements/base.txt pyproject.toml
	$(PIP_COMPILE) $(ARGS) -o requirements/build.txt requirements/build.in
	$(PIP_COMPILE) $(ARGS) --extra tables -o requirements/dev.txt pyproject.toml requirements/dev.in

clean: ## remove all that these targets made, the virtual environment too
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment, in three steps, each with a stamp that is written when it is complete:
# what bylag runs on, bylag itself (editable), and what the tests and checks need.

$(VENV)/base.stamp: requirements/base.txt requirements/build.txt
	@python=$$(for name in $(PYTHON) python3 python3.11 python3.12 python3.13 python3.14; do \
		"$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
			&& { echo "$$name"; break; }; done; true); \
	if [ -z "$$python" ]; then \
		echo "bylag needs Python 3.11 or newer, with the venv module that belongs to it." >&2; \
		echo "On Debian and Ubuntu: apt install python3 python3-venv. Elsewhere: make … PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$python" --version); this is done once and takes about a minute." >&2; \
	"$$python" -m venv --clear $(VENV)
	@$(PIP_INSTALL) $(LOCKED) -r requirements/base.txt -r requirements/build.txt
	@touch $@

# --no-build-isolation: the build's own needs are locked in build.txt and installed already.
$(VENV)/project.stamp: $(VENV)/base.stamp pyproject.toml
	@$(PIP_INSTALL) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/project.stamp
	@echo "Installing what the tests and checks need." >&2
	@$(PIP_INSTALL) $(LOCKED) -r requirements/dev.txt
	@touch $@
