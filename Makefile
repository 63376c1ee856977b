# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Each sets up what it needs in .venv, from the hashed locks, and nothing when that is current.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS ?= 4
AGAINST ?= adc0287
INPUTS ?= 100000

.DEFAULT_GOAL := help
.PHONY: help setup demo drill quick unit test suite soak fuzz check test-container test-browser pictures bench bench-smoke differential lock clean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/dev.stamp ## create .venv with everything a developer needs

demo: .venv/runtime.stamp ## start the service on an embedded PostgreSQL, feed it examples, show what comes out; KEEP=1: stay up, with its dashboard
	@$(BIN)/nexus demo $(if $(KEEP),--keep)

drill: .venv/runtime.stamp ## kill services and PostgreSQL for two minutes under load, and count what was kept
	@$(BIN)/nexus drill --requests 5000 --duplicates 500 --kill 50 --db-restart 10 --provider-faults 0.3 --seconds 120

test: setup ## run the checks, beside them every test, on real PostgreSQL
	@$(MAKE) --no-print-directory -j 2 check suite

# Tests wait more than they work: hence more of them at once than there are cores. Bytecode is kept even where the environment
# asks for none: each worker imports all tests, and each `nexus` that they start all of the service.
suite: export PYTHONDONTWRITEBYTECODE =
suite:
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

quick: setup ## the checks beside the unit tests, for every few minutes: under a minute on two idle cores
	@$(MAKE) --no-print-directory -j 2 check unit

# Without the two that take long: the properties, and the benchmarks' own.
unit:
	@$(BIN)/python -m pytest tests/unit -n 2 --dist worksteal -qq \
		--ignore tests/unit/supervisors/property --ignore tests/unit/test_benchmarks.py

soak: setup ## run the property tests of the actor runtime 10,000 times, with new examples each time
	@PROPERTY_RUNS=10000 $(BIN)/python -m pytest tests/unit/supervisors/property --timeout=0 -n 2

fuzz: setup ## look for rows and answers that harm others, 100,000 of them; SEED=N draws those of that run again
	@$(BIN)/python -m fuzz --inputs $(INPUTS) $(if $(SEED),--seed $(SEED))

test-container: setup ## carry out the Containerfile in a folder, and start, ask and stop what comes out (needs packages, or pip's cache)
	@$(BIN)/python -m tests.container

test-browser: setup ## drive the dashboard in a real Chromium, where there is one (Debian: apt-get install chromium)
	@$(BIN)/python -m pytest tests/browser

pictures: setup ## take the pictures in docs/pictures anew, of a seeded service; SHEET=FOLDER takes every page in every state
	@$(BIN)/python -m tests.browser.pictures $(if $(SHEET),--sheet $(SHEET))

check: setup ## ruff, mypy, pyright, import boundaries
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pyright
	@$(BIN)/lint-imports

bench: .venv-bench/stamp .venv-newer/stamp ## measure all of benchmarks/README.md's table, beside AGAINST and beside peers (an hour)
	@.venv-bench/bin/python -m benchmarks --against $(AGAINST)

bench-smoke: setup ## the same in small, in under a minute: are the ratios far off?
	@$(BIN)/python -m benchmarks.smoke

differential: .venv-differential/stamp ## compare what we send, read and charge with LiteLLM and the official clients
	@.venv-differential/bin/python -m differential $(if $(WRITE),--write)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links
COMPILE := $(LOCK) --group build pyproject.toml
LOCAL := nexus_actors/providers/local_model/requirements

lock: setup ## renew the lock files from pyproject.toml
	@$(PIP) install uv
	@$(COMPILE) -o requirements.lock
	@$(COMPILE) --group dev -o requirements-dev.lock
	@cp requirements.lock requirements-bench.lock
	@$(COMPILE) --group bench -o requirements-bench.lock
	@cp requirements-dev.lock requirements-differential.lock
	@$(COMPILE) --group differential -o requirements-differential.lock
	@$(LOCK) --no-deps $(LOCAL).in -o $(LOCAL).lock

clean: ## remove .venv and caches
	@rm -rf .venv .venv-bench .venv-newer .venv-differential .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv .venv

# A lock names everything there is to install, so nothing is resolved (--no-deps): pip would otherwise look at releases newer
# than the locked ones for whatever a package asks of another "with extras", and stop, since they have no hash here.
# The project itself is installed as a link to this folder (no build dependencies, no network).
.venv/runtime.stamp: requirements.lock pyproject.toml | .venv/bin/python
	@echo "setting up .venv (once)"
	@$(PIP) install --require-hashes --no-deps --only-binary :all: -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: requirements-dev.lock $(LOCAL).lock .venv/runtime.stamp
	@echo "setting up the developer's tools (once)"
	@$(PIP) install --require-hashes --no-deps --only-binary :all: -r requirements-dev.lock
	@$(PIP) install --require-hashes --only-binary :all: --no-deps -r $(LOCAL).lock
	@touch $@

# A folder of its own: the peers, beside the releases that ours has in .venv. Where pyenv has Python 3.13 (PYENV_VERSION names
# another), a second one for those that want it; without it they are said to be not there.
# thespian and erlpack have no wheel: they are built with the setuptools that the runtime's lock brings.
NEWER := PYENV_VERSION=$(or $(PYENV_VERSION),$(lastword $(sort $(notdir $(wildcard $(HOME)/.pyenv/versions/3.13.*)))))

.venv-bench/stamp .venv-newer/stamp: %/stamp: requirements-bench.lock requirements.lock pyproject.toml | .venv/bin/python
	@echo "setting up what the benchmarks compare with (once): $*"
	@if [ $* = .venv-bench ]; then $(BIN)/python -m venv $*; elif $(NEWER) python3.13 -m venv $* 2>/dev/null; then :; \
		else echo "no Python 3.13 here: some peers will be missing"; exit 0; fi; \
	pip="$*/bin/python -m pip --disable-pip-version-check --quiet install"; \
	$$pip --require-hashes --no-deps --only-binary :all: -r requirements.lock && \
	$$pip --require-hashes --no-deps --only-binary :all: --no-binary thespian,erlpack --use-pep517 --no-build-isolation \
		-r requirements-bench.lock && \
	$$pip --no-deps --no-build-isolation --editable .
	@[ ! -d $* ] || touch $@

# A folder of its own: LiteLLM asks for other releases than the developer's tools do. Where it does not, the lock takes theirs
# (what a lock file already names is preferred).
.venv-differential/stamp: requirements-differential.lock pyproject.toml | .venv/bin/python
	@echo "setting up what the differential run compares with (once)"
	@$(BIN)/python -m venv .venv-differential
	@.venv-differential/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps \
		--only-binary :all: -r requirements-differential.lock
	@.venv-differential/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@
