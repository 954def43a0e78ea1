# Two commands matter: `make demo` and `make test`. Each sets up what it needs.
VENV ?= .venv
BIN = $(VENV)/bin
export VENV

.DEFAULT_GOAL := help
.PHONY: help demo test test-e2e test-data lint format docs bench set-up clean

help:  ## List the commands.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo:  ## Run the gate on an example repository with the embedded model; no key needed.
	@scripts/set-up runtime
	@$(BIN)/llm-eval-gate demo $(ARGS)

test:  ## Run the tests.
	@scripts/set-up dev
	$(BIN)/python -m pytest --cov $(ARGS)

test-e2e:  ## Run the tests that need a browser or Docker (as root on Debian: installs Chromium and an engine of its own).
	@scripts/set-up dev
	LLM_EVAL_GATE_CHROMIUM="$$(scripts/install-browser)" $(BIN)/python -m pytest -o addopts=--import-mode=importlib -q tests/browser tests/container $(ARGS)

test-data:  ## Run the checks on real datasets: make test-data DATA=folder
	@scripts/set-up dev
	LLM_EVAL_GATE_DATA="$(abspath $(DATA))" $(BIN)/python -m pytest -q -o python_files='check_*.py' tests/real_data $(ARGS)

lint:  ## Check style, types and docstrings.
	@scripts/set-up dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/interrogate -q evaluator
	$(BIN)/hadolint Dockerfile

format:  ## Put the code into shape.
	@scripts/set-up dev
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

docs:  ## Renew the generated parts: JSON Schemas, command-line help.
	@scripts/set-up dev
	$(BIN)/python scripts/generate-docs

bench:  ## Measure: journal and transport.
	@scripts/set-up dev
	$(BIN)/python bench/journal.py
	$(BIN)/python bench/transport.py

clean:  ## Remove the virtual environment and caches.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
