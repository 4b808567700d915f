# `make help` lists what there is.

PYTHON := .venv/bin/python
# Tests start hundreds of processes: let Python keep what it has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test compose-test lint bench soak lock clean test-setup

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what the services and the demo need, into .venv
	@scripts/setup demo

demo: setup ## Run one whole node on a synthetic stream (ONCE=1: end after the first video)
	@$(PYTHON) -m demo $(if $(ONCE),--once) $(if $(PORT_BASE),--port-base $(PORT_BASE))

test-setup:
	@scripts/setup test

# More workers than cores: many tests wait for something most of the time. Who is done takes over from
# others: the slow tests lie side by side. All at the priority that encoding processes sink to: they would
# get next to nothing beside tests that compute.
test: test-setup ## Run all tests
	@nice -n 19 $(PYTHON) -m pytest -q -n $$(( $$(nproc) * 2 )) --dist worksteal -m "not soak and not compose" $(ARGS)

# One story: each test goes on with what the one before has left.
compose-test: test-setup ## Build the images and run a cluster of three nodes in containers
	@$(PYTHON) -m pytest -q -x -m 'compose and not soak' --timeout 1800 tests/compose $(ARGS)

lint: test-setup ## Check style, types, imports and lock files
	@scripts/lint

bench: test-setup ## Measure, in a short form that shows that it runs (FULL=1: the long form)
	@$(PYTHON) -m bench $(if $(FULL),--full)

soak: test-setup ## Run the long versions of tests and benchmarks
	@$(PYTHON) -m pytest -q -m soak --timeout 7200 $(ARGS)
	@$(PYTHON) -m bench --full

lock: test-setup ## Resolve the dependencies anew
	@scripts/lock

clean: ## Remove everything that was installed or recorded here
	@# For root the demo's Postgres lies elsewhere, behind a link.
	rm -rf "$$(readlink -m var/demo/postgres)" .venv node_modules var .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
