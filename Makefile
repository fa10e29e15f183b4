# Every target that needs Python sets up $(VENV) by itself, once, and again when what it was made
# from changes. `make VENV=elsewhere PYTHON=python3.12 test` puts other things in their place.

VENV ?= .venv
CONSTRAINTS := requirements/constraints-ci.txt

# The first that runs and is new enough. A version manager's stand-in may be found and yet not run.
ifndef PYTHON
PYTHON := $(shell for python in python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$python && break; done)
endif

BIN := $(VENV)/bin
BASE := $(VENV)/.sktpecr-base
DEV := $(VENV)/.sktpecr-dev
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c $(CONSTRAINTS)

# Small arrays lose time to threads, and implicit warns unless OpenBLAS has one.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo app test oldest lint docs package clean

help: ## say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-7s %s\n' "$$name" "$$what"; done

demo: $(BASE) ## a recommender explained and refined, in the terminal
	@$(BIN)/python -m sktpecr demo

app: $(DEV) ## the same recommender in a browser, on port 8000
	@$(BIN)/python -m sktpecr app

test: $(DEV) ## tests, doctests, the examples of README.md, a worker for each core
	@$(BIN)/python -m pytest -n auto --dist loadfile

oldest: ## the tests with the oldest versions of what sktpecr needs, in .venv-oldest
	@$(MAKE) --no-print-directory test VENV=.venv-oldest \
		CONSTRAINTS=requirements/constraints-oldest.txt

lint: $(DEV) ## ruff, mypy, codespell
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/codespell

docs: $(DEV) ## the manual, into docs/_build/html
	@rm -rf docs/_build docs/generated docs/auto_examples docs/sg_execution_times.rst
	@$(BIN)/sphinx-build --jobs 2 --fail-on-warning --keep-going --quiet docs docs/_build/html
	@$(BIN)/python tools/check_docs.py docs/_build/html
	@echo "docs/_build/html/index.html"

package: $(DEV) ## wheel and source archive, into dist, looked into and tried
	@rm -rf build dist
	@$(BIN)/python -m build --outdir dist . >dist.log 2>&1 || { cat dist.log; exit 1; }
	@rm -f dist.log
	@$(BIN)/python tools/check_package.py dist

clean: ## remove what was made, but keep $(VENV)
	@rm -rf build dist docs/_build docs/generated docs/auto_examples docs/results docs/sg_execution_times.rst
	@rm -f docs/evidence.rst docs/results.rst docs/claims.rst docs/speed.rst docs/scaling.rst docs/guide/*.inc
	@rm -f docs/images/results/beyond-rivals.png docs/images/results/speed.png docs/images/results/figure-4.png
	@rm -rf .coverage htmlcov .hypothesis
	@rm -rf .mypy_cache .pytest_cache .ruff_cache
	@find sktpecr benchmarks tests tools docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "sktpecr needs Python 3.11 or newer; found: $(or $(PYTHON),none)." \
		"Name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "==> $(VENV): a new environment with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "no virtual environment; Debian and Ubuntu have venv in the package python3-venv" >&2; exit 1; }

$(BASE): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "==> $(VENV): sktpecr and what it needs (the first time takes minutes: torch)"
	@$(PIP_INSTALL) -e .
	@touch $@

# After $(BASE), never beside it: two pips in one environment break each other under make -j.
$(DEV): $(BASE)
	@echo "==> $(VENV): tools to test, lint and document"
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $@
