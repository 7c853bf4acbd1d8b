# Requirements: Python 3.11 to 3.13 with venv, and make. Everything runs in .venv, which is created if it is missing and
# updated if it is out of date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The environment is out of date if one of these two files, or the path of the checkout, has changed. The name of the
# stamp has a digest of all three, so touching a file does not rebuild the environment.
DIGEST := $(shell { pwd; cat pyproject.toml constraints.txt; } | cksum | cut -d ' ' -f 1)
READY := $(VENV)/ready-$(DIGEST)

# Two processes with one thread each run the tests. With worksteal, an idle process takes tests from the other one.
# Compiled test files are kept, or each process would compile all of them.
PYTEST := PYTHONDONTWRITEBYTECODE= TF_NUM_INTRAOP_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

# The modules that run on every Keras backend, with their tests and docstring examples. pytest fails on a wrong path.
# Tests marked any_backend, such as those of error messages, run on TensorFlow only.
OF_BACKEND := not slow and not any_backend
MODEL_SIDE := keras_alexnet/models keras_alexnet/weights keras_alexnet/training/optimizers.py \
	keras_alexnet/evaluation/metrics.py
MODEL_SIDE_TESTS := $(MODEL_SIDE) tests/models tests/weights tests/training/test_optimizers.py \
	tests/evaluation/test_metrics.py

# Groups of the slow tests, and the minutes after which a group is stopped. Most are folders of tests.
SLOW ?= models data weights evaluation export demo reporting experiments project training scripts rest jax interrupts jax-interrupts
MINUTES ?= 60
PYTEST_SLOW = timeout $(MINUTES)m env $(PYTEST) -m slow

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install train test test-tensorflow test-jax test-torch test-slow lint format benchmark benchmark-gpu tutorials lab site

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## set up .venv

train: $(READY) ## train on drawn flowers, without a download
	$(BIN)/python scripts/fit.py

test: lint test-tensorflow test-jax test-torch ## all quick tests

test-tensorflow: $(READY) ## the quick tests on the default backend
	KERAS_BACKEND=tensorflow $(PYTEST)

test-jax: $(READY) ## the quick tests of models and weights on JAX
	KERAS_BACKEND=jax $(PYTEST) -m '$(OF_BACKEND)' $(MODEL_SIDE_TESTS)

test-torch: $(READY) ## the same on PyTorch, if it is installed
	@if $(BIN)/python -c 'import torch' 2>/dev/null; \
	then KERAS_BACKEND=torch $(PYTEST) -m '$(OF_BACKEND)' $(MODEL_SIDE_TESTS); \
	else echo "Skipping the PyTorch tests: PyTorch is not installed ($(BIN)/pip install -c constraints.txt torch)"; fi

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

format: $(READY) ## fix style and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

tutorials: $(READY) ## run all chapters and save their outputs
	$(BIN)/python scripts/build_tutorials.py

lab: $(READY) ## open the chapters in JupyterLab
	$(BIN)/jupyter lab tutorials

site: $(READY) ## build the site: build/site/index.html
	$(BIN)/python scripts/build_browser.py
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/site

benchmark: $(READY) ## measure the speed of this machine
	$(BIN)/python scripts/benchmark.py

benchmark-gpu: $(READY) ## measure TensorFlow, JAX and PyTorch on the GPUs of this machine
	$(BIN)/python scripts/benchmark.py --gpu

# In the mode "compat", a program in the folder that holds the checkout imports the package, not the checkout.
$(READY): $(BIN)/python
	@echo "Installing the versions of constraints.txt into $(VENV) (3.8 GB and a few minutes the first time)"
	@rm -f $(VENV)/ready-*
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--config-settings editable_mode=compat --editable '.[dev]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	echo "Python 3.11 to 3.13 is required, as in make PYTHON=python3.13. Received: $$($(PYTHON) --version)"; \
	exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
