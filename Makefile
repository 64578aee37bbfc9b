# make lab ARGS="--no-browser --port 9999"          arguments for JupyterLab
# make test PYTHON=python3.12 VENV=.venv-3.12       another Python, in an environment of its own

# The first that runs and fits, the longest tested ones before the newest; else python3, of which
# tools/preflight.py says what is wrong.
# It is looked for when it is needed, and once.
PYTHON ?= $(eval PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3.14 python3.15 \
	python3 python; do $$python tools/preflight.py >/dev/null 2>&1 && echo $$python && exit; done; \
	echo python3))$(PYTHON)
VENV ?= .venv
RUN = $(VENV)/bin/python
INSTALL = $(PYTHON) tools/install.py $(VENV)
INSTALLED = $(VENV)/installed
TESTED = $(VENV)/installed-tests
# By this name, lest `make -n` runs the rest of the line too.
AGAIN = $(MAKE) --no-print-directory
TESTS = $(RUN) -m pytest -n 4  # at a time: much of it waits
# What is done side by side, and printed one after the other where this make can.
TOGETHER = $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: help install lab class test test-all lint types unit nbval browser notebooks picture bench clean

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED)  ## make the environment, once

$(INSTALLED): requirements.txt pyproject.toml
	$(info Looking for Python.)
	@python="$(PYTHON)"; $$python -c '' 2>/dev/null || { echo "There is no Python that runs as" \
		"$$python: install Python 3.11 to 3.15, or name it, as in:" \
		"make lab PYTHON=/path/to/python3.13"; exit 1; }; $$python tools/preflight.py
	@$(INSTALL) requirements.txt .
	@touch $@

$(TESTED): requirements-test.txt $(INSTALLED)
	@$(INSTALL) requirements-test.txt
	@touch $@

lab: $(INSTALLED)  ## open JupyterLab on the learner's first notebook
	@$(RUN) tools/lab.py $(ARGS)

class: $(INSTALLED)  ## make the teacher's folder, and the zip for the class
	@$(RUN) tools/classroom.py

test: $(TESTED)  ## check everything: lint, types, unit, nbval, browser
	@$(MAKE) --no-print-directory --keep-going --jobs 3 $(TOGETHER) lint types nbval; short=$$?; \
		$(MAKE) --no-print-directory --keep-going unit browser && exit $$short

test-all: $(TESTED)  ## check every notebook on every Python and kernel, and more: hours
	@test -n "$(ARGS)" || THOROUGH=5 $(AGAIN) test; tested=$$?; \
		$(RUN) tools/matrix.py $(ARGS) && exit $$tested

lint: $(TESTED)  ## check style and format, notebooks included
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check

types: $(TESTED)  ## check types
	$(RUN) -m mypy

unit: $(TESTED)  ## test the package and the shape of the notebooks
	$(TESTS) --dist worksteal tests --ignore tests/browser

nbval: $(TESTED)  ## run every notebook and compare every output
	$(TESTS) --dist loadfile notebooks -p guard.plugin --nbval --nbval-current-env \
		--nbval-cell-timeout 60 --nbval-sanitize-with tests/guard/sanitize.cfg

browser: $(TESTED)  ## drive the notebooks in a real browser
	$(TESTS) -p no:nbval --dist load --maxschedchunk 1 tests/browser

notebooks: $(TESTED)  ## run the notebooks in place (or those named in ARGS)
	@$(RUN) tools/notebooks.py $(ARGS)

picture: $(INSTALLED)  ## draw the picture of the README
	@$(RUN) tools/picture.py

bench: $(TESTED)  ## measure, beside what else one could use
	@$(RUN) -m benchmarks $(ARGS)
	@test -n "$(ARGS)" || $(RUN) -m pytest -q tests/browser/speed.py

clean:  ## remove the environment and what tools left behind
	rm -rf $(VENV) .venv-matrix test-artifacts .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info build
