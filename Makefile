# On a fresh machine `make demo` and `make test` are enough: each target first installs what it needs into .venv, from the hashed
# locks. `make setup` installs the runtime alone, `make dev` the developer's tools as well.

PYTHON ?= python3
BIN := .venv/bin
# Twice quiet: errors alone, no warning that an editable installation is one.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
# Bytecode is left to the first import: most modules are never imported, and to compile them all is half of an installation.
INSTALL := $(PIP) install --no-compile --require-hashes --no-deps --only-binary :all:
# Tests wait for a part of their time, so more workers run than there are cores.
JOBS ?= 4
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
# Whose tests run in parallel.
FOLDERS := $(addprefix tests/,unit integration acceptance faults conformance observer docs)
AGAINST ?= adc0287
INPUTS ?= 100000

# Bytecode is written even if the environment disables it: else each process would compile all that it imports.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup dev demo drill quick unit test suite test-faults test-conformance test-observer test-docs \
	soak fuzz check dist test-dist test-container test-machine test-browser pictures docs bench bench-smoke differential lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/runtime.stamp ## create .venv with what the service needs to run

dev: .venv/dev.stamp ## add the developer's tools to .venv: tests, linters, type checkers

demo: setup ## start the service on an embedded PostgreSQL, send example requests, print the results; KEEP=1 keeps it running, with its dashboard
	@$(BIN)/nexus demo $(if $(KEEP),--keep)

drill: setup ## kill services and PostgreSQL under load for two minutes, then count lost and duplicate requests
	@$(BIN)/nexus drill --requests 5000 --duplicates 500 --kill 50 --db-restart 10 --provider-faults 0.3 --seconds 120

test: dev ## run the linters, the type checkers, and the unit, integration and acceptance tests, on a real PostgreSQL
	@$(MAKE) --no-print-directory -j 2 check suite

suite: .venv/compiled.stamp
	@$(PYTEST)

test-faults: .venv/compiled.stamp ## kill or freeze services, actors and PostgreSQL at every step, and count what was kept
	@$(PYTEST) tests/faults

test-conformance: .venv/compiled.stamp ## hold every kind of request to the vendors' rules, their own clients and price lists
	@$(PYTEST) tests/conformance

test-observer: .venv/compiled.stamp ## draw every tab of the terminal observer, and press its keys
	@$(PYTEST) tests/observer

test-docs: .venv/compiled.stamp ## run every command and snippet of the documentation, and the demo
	@$(PYTEST) tests/docs

quick: dev ## run the checks and the unit tests: one to three minutes on two idle cores
	@$(MAKE) --no-print-directory -j 2 check unit

# All but the two slow ones: the property tests, and the tests of the benchmarks.
unit:
	@$(BIN)/python -m pytest tests/unit -n 2 --dist worksteal -qq \
		--ignore tests/unit/supervisors/property --ignore tests/unit/test_benchmarks.py

soak: dev ## run the property tests of the actor runtime 10,000 times, with new examples each time
	@PROPERTY_RUNS=10000 $(BIN)/python -m pytest tests/unit/supervisors/property --timeout=0 -n 2

fuzz: dev ## feed 100,000 hostile rows and provider answers to the service; SEED=N repeats a run
	@$(BIN)/python -m fuzz --inputs $(INPUTS) $(if $(SEED),--seed $(SEED))

# Without isolation: setuptools and build come from the lock, so nothing is fetched. Each wheel is built from its source
# distribution, so that one is complete.
dist: dev ## build wheels and source distributions of nexus-actors and of otp-supervisors into dist/
	@rm -rf dist
	@$(BIN)/python -m tests.distributions build dist

test-dist: dev ## build the distributions, look into them, install each and try it (needs a package index or pip's cache)
	@$(BIN)/python -m pytest tests/dist
	@$(BIN)/python -m tests.distributions try

test-container: dev ## build the image with Podman, run, query and stop it; without Podman or root the Containerfile's steps run in a folder (needs a package index)
	@$(BIN)/python -m tests.image

test-machine: dev ## carry out the docs' commands that change a machine, on one in namespaces (needs root, systemd and a package index)
	@$(BIN)/python -m pytest tests/machine --timeout=1800

test-browser: dev ## test the dashboard in Chromium, if it is installed (Debian: apt-get install chromium)
	@$(BIN)/python -m pytest tests/browser

pictures: dev ## take the screenshots in docs/pictures again; SHEET=FOLDER takes every page in every state
	@$(BIN)/python -m tests.browser.pictures $(if $(SHEET),--sheet $(SHEET))
	@$(if $(SHEET),,$(BIN)/python -m tests.demo_picture)

# -E: Sphinx reads every page again. Else it would warn of a page only when it is read first.
docs: dev ## build the docs site into build/docs, offline; a warning, such as a broken link, fails it
	@$(BIN)/python docs/_ext/configuration_page.py
	@$(BIN)/python -m sphinx -W --keep-going -q -E docs build/docs
	@echo "build/docs/index.html"

check: dev ## run ruff, mypy, pyright and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pyright
	@$(BIN)/lint-imports

bench: .venv-bench/stamp .venv-newer/stamp ## run every benchmark of benchmarks/README.md, compared with commit AGAINST and with other libraries (an hour)
	@.venv-bench/bin/python -m benchmarks --against $(AGAINST)

bench-smoke: dev ## run small versions of the benchmarks, in under a minute, and check their ratios
	@$(BIN)/python -m benchmarks.smoke

differential: .venv-differential/stamp ## compare requests, parsed answers and costs with LiteLLM and the official clients
	@.venv-differential/bin/python -m differential $(if $(WRITE),--write)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links
COMPILE := $(LOCK) --group build pyproject.toml
# What a lock adds to the runtime's goes beside the runtime's pins, and never changes one.
MORE := $(COMPILE) --constraint requirements.lock
LOCAL := nexus_actors/providers/local_model/requirements

lock: dev ## update the lock files from pyproject.toml
	@$(PIP) install uv
	@$(LOCK) --group pip -o requirements-pip.lock
	@$(COMPILE) -o requirements.lock
	@$(MORE) --group dev -o requirements-dev.lock
	@$(MORE) --group bench -o requirements-bench.lock
	@cp requirements-dev.lock requirements-differential.lock
	@$(MORE) --group differential -o requirements-differential.lock
	@$(LOCK) --no-deps $(LOCAL).in -o $(LOCAL).lock

clean: ## remove .venv, caches and built files
	@rm -rf .venv .venv-bench .venv-newer .venv-differential .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
		build dist *.egg-info supervisors/build supervisors/*.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv .venv

# --no-deps: a lock lists every package, so pip need not resolve anything. If it did, it would consider releases newer than the
# locked ones for requirements with extras, and fail because the lock has no hash for them.
# The project itself is an editable install: it fetches nothing.
.venv/runtime.stamp: requirements-pip.lock requirements.lock pyproject.toml | .venv/bin/python
	@echo "installing the runtime into .venv (once)"
	@$(INSTALL) -r requirements-pip.lock
	@$(INSTALL) -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: requirements-dev.lock $(LOCAL).lock .venv/runtime.stamp
	@echo "installing the developer's tools into .venv (once)"
	@$(INSTALL) -r requirements-dev.lock -r $(LOCAL).lock
	@touch $@

# One process compiles the tests and what they import, while the checks have the other core. Else each worker would compile it all.
# What cannot be collected fails the suite, which shows it.
.venv/compiled.stamp: .venv/dev.stamp
	-@$(BIN)/python -m pytest --collect-only -qq $(FOLDERS) >/dev/null
	@$(BIN)/python -c 'from tests.zygote import import_all; import_all()'
	@touch $@

# The benchmarks' environment: the peers, with the same releases of the runtime as in .venv. If pyenv has Python 3.13
# (or PYENV_VERSION names one), a second environment is made for the peers that need it; without it they are reported missing.
# thespian and erlpack have no wheels: they are built with the setuptools from the runtime's lock.
NEWER := PYENV_VERSION=$(or $(PYENV_VERSION),$(lastword $(sort $(notdir $(wildcard $(HOME)/.pyenv/versions/3.13.*)))))

.venv-bench/stamp .venv-newer/stamp: %/stamp: requirements-bench.lock requirements.lock pyproject.toml | .venv/bin/python
	@echo "installing what the benchmarks compare with (once): $*"
	@if [ $* = .venv-bench ]; then $(BIN)/python -m venv $*; elif $(NEWER) python3.13 -m venv $* 2>/dev/null; then :; \
		else echo "no Python 3.13 found: some peers will be missing"; exit 0; fi; \
	pip="$*/bin/python -m pip --disable-pip-version-check --quiet install"; \
	$$pip --require-hashes --no-deps --only-binary :all: -r requirements.lock && \
	$$pip --require-hashes --no-deps --only-binary :all: --no-binary thespian,erlpack --use-pep517 --no-build-isolation \
		-r requirements-bench.lock && \
	$$pip --no-deps --no-build-isolation --editable .
	@[ ! -d $* ] || touch $@

# A separate environment: LiteLLM needs other releases than the developer's tools do. Where it does not, its lock takes theirs
# (uv prefers the releases that a lock file already names).
.venv-differential/stamp: requirements-differential.lock pyproject.toml | .venv/bin/python
	@echo "installing what the differential run compares with (once)"
	@$(BIN)/python -m venv .venv-differential
	@.venv-differential/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps \
		--only-binary :all: -r requirements-differential.lock
	@.venv-differential/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@
