# Everything runs from .venv, which `make setup` makes from requirements.lock; nothing needs root.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

PY    := .venv/bin/python
STAMP := .venv/.nsedu-setup

NOTEBOOKS = $(sort $(wildcard notebooks/*.ipynb))

# One process per core and one more, since tests often wait; and never two for the same file: tests
# of a file share what they set up, and the cells of a notebook share a kernel. The order is that of
# conftest.py.
WORKERS  := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
PARALLEL = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
MARKS    = not host and not browser and not mutation
NBVAL    = --nbval --nbval-current-env --nbval-cell-timeout=60 --nbval-sanitize-with=tests/sanitize.cfg

# A universal lock with the hash of every file, and no word of where they were fetched from.
LOCK = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
       --no-header --no-emit-index-url --no-emit-find-links $(LOCK_FLAGS)

help:  ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv from the lock (nothing to do when it is up to date)

$(STAMP): requirements.lock pyproject.toml tools/setup.sh
	@sh tools/setup.sh $@

lab: setup  ## Open JupyterLab at the first notebook (LAB_FLAGS=... adds options)
	@sh tools/lab.sh $(LAB_FLAGS)

packages: setup  ## Install the programs that the course calls and this machine lacks; needs root
	@$(PY) tools/packages.py --install

lacking: setup
	@$(PY) tools/packages.py

test: lacking  ## Run every test but those in a browser and the mutations, and every notebook, strictly
	$(PY) -m pytest $(PARALLEL) $(NBVAL) -m "not browser and not mutation" $(PYTEST_FLAGS) tests $(NOTEBOOKS)

test-code: setup  ## Run the tests of the code (PYTEST_FLAGS=... adds options)
	$(PY) -m pytest $(PARALLEL) -m "$(MARKS)" $(PYTEST_FLAGS) tests

test-browser: setup  ## Run the tests that use JupyterLab in a browser
	$(PY) -m pytest $(PARALLEL) -m browser $(PYTEST_FLAGS) tests

test-mutations: setup  ## Break what the claims of the chapters are about; each must notice
	$(PY) -m pytest -n auto --dist load -m mutation $(PYTEST_FLAGS) tests/test_mutations.py

test-host: setup  ## Run the course once more, each cell twice, and look for what it leaves on the host
	$(PY) -m pytest -m host $(PYTEST_FLAGS) tests/test_host.py

test-notebooks: setup  ## Run every notebook and compare it with its committed outputs
ifeq ($(NOTEBOOKS),)
	@echo "notebooks/ holds no notebook yet, so none was run."
else
	$(PY) -m pytest $(PARALLEL) $(NBVAL) $(PYTEST_FLAGS) $(NOTEBOOKS)
endif

notebooks: setup  ## Re-execute every notebook and write its outputs in normal form
	$(PY) tools/refresh_notebooks.py

bench: setup  ## Measure everything, beside named peers, and write a report to bench-results/
	$(PY) bench/all.py bench-results

lint: setup  ## Check style, format and types
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	.venv/bin/oxlint nsedu tests

lock: setup  ## Pin the dependencies anew after pyproject.toml changed (LOCK_FLAGS=--upgrade for newer ones)
	$(LOCK) --extra test --extra dev pyproject.toml -o requirements.lock
	$(LOCK) --extra test --extra dev --extra classroom -c requirements.lock pyproject.toml -o requirements-classroom.lock

clean:  ## Remove the environment and every cache
	rm -rf .venv build dist bench-results *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name .git -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -print | xargs rm -rf

.PHONY: help setup lab packages lacking test test-code test-browser test-mutations test-notebooks test-host notebooks bench lint lock clean
