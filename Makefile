# The one interface for developers; .ci/run calls the same targets.
# Needs python3 (3.11 or later) and pip: everything else is installed into .venv.

PYTHON ?= python3
EVENTS ?= 1000000
KILLS ?= 100
SECONDS ?= 60
PROCESSES ?= 2
MODULES ?= directives legality facts rules recovery
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := dist-local/release.conductor.jsonl

.DEFAULT_GOAL := help
.PHONY: help demo demo-celery demo-temporal test lint format typecheck check coverage bench differential crashes worker-crashes celery-crashes temporal-crashes \
	bench-instructions every-flow fuzz mutation references docs build package installed clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[celery,cli,fast,otel,postgres,temporal,test]" --group dev
	@touch $@

demo: $(READY) ## run a release of this project, wait for no one, and replay its log
	mkdir -p $(dir $(DEMO)) && rm -rf $(DEMO) $(DEMO).d
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/conductor run examples/release/flow.yaml \
		--log $(DEMO) --approve plan --by demo
	$(BIN)/conductor replay $(DEMO)

demo-celery: $(READY) ## the same release on Celery: broker, store and workers of its own
	$(BIN)/python -m examples.on_celery.demo

demo-temporal: $(READY) ## the same release on Temporal: server and worker of its own
	$(BIN)/python -m examples.on_temporal.demo

# No test is timed; the limit only keeps one that hangs from hanging for ever.
test: $(READY) ## run all tests; every branch of the core must be covered
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --timeout=540 --numprocesses=$(PROCESSES) --dist=loadfile \
		--no-loadscope-reorder --ignore=tests/packaging $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

coverage: test ## as test, with a report to browse in htmlcov/
	$(BIN)/coverage html

lint: $(READY) ## check style, docstrings and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

format: $(READY) ## mend what can be mended by a tool
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

typecheck: $(READY) ## check types with mypy, and with pyright as second opinion
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

check: lint typecheck docs test package ## all that must hold before a commit

bench: $(READY) ## print what everything costs beside its goal and the peers; ARGS=--quick
	$(BIN)/python -m benchmarks $(ARGS)

bench-instructions: $(READY) ## count instructions with valgrind; ARGS="--against FILE" compares
	$(BIN)/python -m benchmarks.instructions $(ARGS)

differential: $(READY) ## compare the core with the independent model on EVENTS events
	$(BIN)/python -m property_tests.differential --events $(EVENTS) $(ARGS)

crashes: $(READY) ## kill conductor run at KILLS random moments, and go on with its log
	$(BIN)/python -m property_tests.crashes --kills $(KILLS) $(ARGS)

worker-crashes: $(READY) ## kill workers and people of one file of flows KILLS times, at random
	$(BIN)/python -m property_tests.worker_crashes --kills $(KILLS) $(ARGS)

celery-crashes: $(READY) ## kill Celery workers KILLS times, and crash their broker and store
	$(BIN)/python -m property_tests.celery_crashes --kills $(KILLS) $(ARGS)

temporal-crashes: $(READY) ## kill Temporal workers KILLS times, and their server with its file
	$(BIN)/python -m property_tests.temporal_crashes --kills $(KILLS) $(ARGS)

every-flow: $(READY) ## search every flow of a few steps; ARGS="--steps 1 2" for some of them
	$(BIN)/python -m property_tests.every_flow $(ARGS)

fuzz: $(READY) ## throw grown bytes at every reader, each for SECONDS
	$(BIN)/python -m property_tests.fuzz --seconds $(SECONDS) $(ARGS)

mutation: $(READY) ## change MODULES of the core here and there, and name what no test notices
	nice -n 10 $(BIN)/python -m property_tests.mutation $(MODULES) $(ARGS)

references: $(READY) ## make the reference pages of the documentation anew
	$(BIN)/python -m docs.generating

docs: $(READY) ## build the documentation as a site into site/; a lost link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

build: $(READY) ## build wheel and sdist into dist/ and look into the wheel
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/check-wheel-contents dist/*.whl

package: $(READY) ## build twice, look into both artifacts, and try the wheel with and without extras
	$(BIN)/python -m pytest tests/packaging --timeout=540 --numprocesses=$(PROCESSES) --dist=load -rP -q

installed: ## try the wheel in dist/ on PYTHON, in an environment of its own
	$(PYTHON) tests/packaging/on_this_python.py

clean: ## remove all that is made, but for .venv
	rm -rf build dist dist-local htmlcov site .fuzz .coverage .coverage.* \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
