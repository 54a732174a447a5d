# `make` lists the targets. Each sets up what it needs; a second call installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The stamps carry a checksum of the pins, so a changed pin installs again and a touched file does not.
BOOK := $(VENV)/.book-$(firstword $(shell cat requirements.txt pyproject.toml | cksum))
TESTS := $(VENV)/.tests-$(firstword $(shell cat requirements.txt tests/requirements.txt | cksum))
# One thread a process, as in `make notebooks`: the numbers agree and two workers share two cores.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 PCLTUT_PROGRESS=0
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest
# A file stays on one worker, and files begin in the order given: the long ones first, so that both workers end together.
TWO_WORKERS := -n 2 --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help book test quick lint notebooks lab editions assignments slides format bench mutants gpu wheel clean

help:  ## list these targets
	@echo "make TARGET [PYTHON=python3.12]"
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  \1|\2/' | awk -F'|' '{printf "%-12s %s\n", $$1, $$2}'

book: $(BOOK)  ## render the book into _build/html
	$(BIN)/python book/_tools/vendor.py
	$(BIN)/jupyter-book build -W -n --keep-going --path-output . .
	@echo "Open the book: file://$(CURDIR)/_build/html/index.html"

test: $(TESTS) lint  ## lint, run all tests, and run every notebook again, as Colab would
	$(BIN)/python tests/clean_kernel.py _build/clean
	CUDA_VISIBLE_DEVICES= JUPYTER_PATH="$(CURDIR)/_build/clean" $(PYTEST) -q $(TWO_WORKERS) --durations=20 \
	    --nbval-lax --nbval-kernel-name clean tests/browser $(sort $(wildcard book/*.ipynb)) tests

quick: $(TESTS) lint  ## lint and run the unit tests, at each change
	CUDA_VISIBLE_DEVICES= $(PYTEST) -q $(TWO_WORKERS) -m "not slow" tests

lint: $(TESTS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: $(BOOK)  ## execute the notebooks whose code, or whose code in pcltut, has changed
	$(BIN)/python book/_tools/notebooks.py

lab: $(BOOK)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=book

editions: $(BOOK)  ## render the student's and the teacher's edition into _build/editions
	$(BIN)/python book/_tools/vendor.py
	$(BIN)/python book/_tools/editions.py

assignments: $(TESTS)  ## write nbgrader assignments, one a chapter, into _build/assignments
	$(BIN)/python book/_tools/assignments.py

slides: $(BOOK)  ## write a deck for each chapter, for reveal.js, into _build/slides
	$(BIN)/python book/_tools/vendor.py
	$(BIN)/python book/_tools/slides.py

format: $(TESTS)  ## format the code and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

mutants: $(TESTS)  ## prove that the tests notice deliberate mistakes
	$(BIN)/python tests/mutations.py

bench: $(TESTS)  ## measure the speed promises and write them to book/results/bench.json, in under 15 minutes
	$(PIP) -r tests/bench/requirements.txt
	$(BIN)/python -m pcltut bench --out book/results/bench.json

gpu: $(TESTS)  ## the tests that need a CUDA device, then each notebook's time on it
	$(PYTEST) -q -m gpu tests
	$(BIN)/python book/_tools/notebooks.py --gpu

wheel: $(BOOK)  ## pack the package, with data and results, into dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove what these targets made (data/ and runs/ stay)
	rm -rf $(VENV) _build build dist *.egg-info .pytest_cache .ruff_cache .hypothesis

$(BOOK):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	rm -f $(VENV)/.book-* && touch $@

$(TESTS): $(BOOK)
	$(PIP) -r tests/requirements.txt
	rm -f $(VENV)/.tests-* && touch $@
