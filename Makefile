# All that is needed before: Python 3.11 to 3.13 with venv, and make. Everything runs in .venv, which is made when it is
# missing, brought up to date when it is stale, and otherwise left alone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Stale means that one of these two files, or the place of the checkout, is not what the environment was made from.
# The stamp's name carries the digest of all three, so a file that was only touched costs nothing.
DIGEST := $(shell { pwd; cat pyproject.toml constraints.txt; } | cksum | cut -d ' ' -f 1)
READY := $(VENV)/ready-$(DIGEST)

# Two processes share the tests, and each computes with one thread. Who is done first takes over half of what the other
# has left.
PYTEST := TF_NUM_INTRAOP_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

# What runs on every Keras backend, with its tests and the examples in its docstrings. pytest fails on a wrong name.
MODEL_SIDE := keras_alexnet/models keras_alexnet/weights keras_alexnet/training/optimizers.py \
	keras_alexnet/evaluation/metrics.py
MODEL_SIDE_TESTS := $(MODEL_SIDE) tests/models tests/weights tests/training/test_optimizers.py \
	tests/evaluation/test_metrics.py

# Groups of the slow tests, and the minutes after which a group is stopped. Most are folders of tests.
SLOW ?= models data weights export reporting project training scripts rest jax interrupts jax-interrupts
MINUTES ?= 60
PYTEST_SLOW = timeout $(MINUTES)m env $(PYTEST) -m slow

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install train test test-tensorflow test-jax test-torch test-slow lint format benchmark tutorials lab site

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## set up .venv and nothing more

train: $(READY) ## train on the drawn flowers, without a download
	$(BIN)/python scripts/fit.py

test: lint test-tensorflow test-jax test-torch ## all quick tests

test-tensorflow: $(READY) ## the quick tests on the default backend
	KERAS_BACKEND=tensorflow $(PYTEST)

test-jax: $(READY) ## the model side on JAX
	KERAS_BACKEND=jax $(PYTEST) $(MODEL_SIDE_TESTS)

test-torch: $(READY) ## the model side on PyTorch, where it is installed
	@if $(BIN)/python -c 'import torch' 2>/dev/null; \
	then KERAS_BACKEND=torch $(PYTEST) $(MODEL_SIDE_TESTS); \
	else echo "PyTorch is not in $(VENV): its tests are left out ($(BIN)/pip install -c constraints.txt torch)"; fi

test-slow: $(SLOW:%=test-slow-%) ## the tests that take minutes; some: make test-slow SLOW="models data" MINUTES=20

test-slow-%: $(READY)
	KERAS_BACKEND=tensorflow $(PYTEST_SLOW) tests/$*

test-slow-scripts: $(READY)
	KERAS_BACKEND=tensorflow $(PYTEST_SLOW) tests/scripts --ignore tests/scripts/test_interrupts.py

test-slow-interrupts: $(READY)
	KERAS_BACKEND=tensorflow $(PYTEST_SLOW) tests/scripts/test_interrupts.py

test-slow-rest: $(READY)
	KERAS_BACKEND=tensorflow $(PYTEST_SLOW) tests/test_*.py

test-slow-jax: $(READY)
	KERAS_BACKEND=jax $(PYTEST_SLOW) $(MODEL_SIDE_TESTS) tests/training/test_survival.py tests/training/test_training.py

test-slow-jax-interrupts: $(READY)
	KERAS_BACKEND=jax $(PYTEST_SLOW) tests/scripts/test_interrupts.py

lint: $(READY) ## check style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(READY) ## mend style and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

tutorials: $(READY) ## run all chapters and keep their results
	$(BIN)/python scripts/build_tutorials.py

lab: $(READY) ## open the chapters in JupyterLab
	$(BIN)/jupyter lab tutorials

site: $(READY) ## make the site of the chapters and the library: build/site/index.html
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/site

benchmark: $(READY) ## measure the speed of this machine
	$(BIN)/python scripts/benchmark.py

$(READY): $(BIN)/python
	@echo "Installing the versions of constraints.txt into $(VENV) (3.5 GB and a few minutes the first time)"
	@rm -f $(VENV)/ready-*
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	echo "Python 3.11 to 3.13 is expected; name yours, as in make PYTHON=python3.13. Received: $$($(PYTHON) --version)"; \
	exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
