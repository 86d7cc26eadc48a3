# Everything runs from .venv, which `make setup` makes from requirements.lock; nothing needs root.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

PY    := .venv/bin/python
STAMP := .venv/.nsedu-setup

help:  ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv from the lock (nothing to do when it is up to date)

$(STAMP): requirements.lock pyproject.toml tools/setup.sh
	@sh tools/setup.sh $@

clean:  ## Remove the environment and every cache
	rm -rf .venv build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name .git -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -print | xargs rm -rf

.PHONY: help setup clean
