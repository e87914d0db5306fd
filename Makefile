# make demo: see it work.  make test: see that it works.  Both need only Python 3.11+ and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help demo test fast real-services lint audit release lock screenshots map bench soak deb image clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## two local S3 servers, six sample backups (ARGS=--once: run one, print the result and end)
	@$(BIN)/bucketvault demo $(ARGS)

test: $(VENV)/.development ## everything this machine can test; says what it left out
	@$(BIN)/python -m tests.run $(ARGS)

fast: $(VENV)/.development ## the tests that start no server, no program and no browser
	@$(BIN)/python -m tests.run --fast $(ARGS)

real-services: $(VENV)/.development ## R2, B2, Amazon S3 with your keys: says what it would do and cost (ARGS=--yes: does it)
	@$(BIN)/python -m tests.real_services $(ARGS)

lint: $(VENV)/.development ## format and types, as CI checks them
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

audit: $(VENV)/.development ## ask PyPI's advisories about every package that is shipped
	@$(BIN)/python -m tests.audit

release: $(VENV)/.development ## wheel and sdist in dist/: built twice and compared, the wheel tried with its demo
	@$(BIN)/python -m tests.release

screenshots: $(VENV)/.development ## draw the pictures of the pages anew into docs/pictures
	@$(BIN)/python -m tests.screenshots $(ARGS)

map: $(VENV)/.development ## rooms, lines and imports between rooms, of this checkout (ARGS=DIR: of another)
	@$(BIN)/python -m tests.map $(ARGS)

bench: $(VENV)/.development ## speed and memory, side by side with rclone by hand
	@$(BIN)/python -m tests.benchmarks $(ARGS)

soak: $(VENV)/.development ## an hour in bad company, and its curves in docs/pictures (SOAK_MINUTES=6: shorter)
	@$(BIN)/python -m tests.soak

lock: $(VENV)/.development ## write the lock files anew from pyproject.toml; compare rclone with its own release
	@$(BIN)/pip install --quiet uv && \
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade --extra build pyproject.toml -o requirements.lock && \
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --extra build --extra development -c requirements.lock pyproject.toml -o requirements-development.lock && \
	$(BIN)/python -m tests.checksums

deb: $(VENV)/.development ## a Debian package in dist/ (ARGS=--try: as root, also install and remove it in a fresh Debian)
	@$(BIN)/python -m tests.debian $(ARGS)

image: $(VENV)/.development ## an OCI image from that package in dist/ (ARGS=--try: run the demo once in it); needs buildah
	@$(BIN)/python -m tests.image $(ARGS)

clean: ## remove the virtual environment and what tools left
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The lock files name every package with its hash: what is installed is what was tested.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "bucketvault needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing bucketvault into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: requirements-development.lock requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing bucketvault and its tests' tools into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-development.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.runtime
