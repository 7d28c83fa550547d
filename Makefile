# What a person types, and what CI types. Each target sets up all it needs, uv included.

UV_VERSION := 0.13.8
UV := .tools/uv
BIN := .venv/bin
ISOLATED := $(UV) run --isolated --locked --no-dev

unexport VIRTUAL_ENV UV_PROJECT_ENVIRONMENT

# Nothing that we start reports to its makers.
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR := false

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-fast test-long lint types imports isolate tests gpu format \
	bench-serving bench-drift docs

help: ## Show what you can do
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## Install uv and the locked environment
	@sh infra/development/get-uv.sh $(UV_VERSION)
	@[ -d .venv ] || echo "Installing the locked environment into .venv (about 1.3 GB, once)"
	$(UV) sync --locked

demo: setup ## Watch the whole loop on real data (make demo ARGS=--exit ends by itself)
	$(BIN)/trimtab demo --project examples/flights $(ARGS)

test: lint types imports isolate tests ## Everything that CI runs

test-fast: setup ## The tests that start no servers (make test-fast ARGS="-k gate")
	$(BIN)/pytest -m "not e2e and not long" $(ARGS)

test-long: setup ## The long tests: kills, floods and mutations by the million (make test-long ARGS="-k capture")
	$(BIN)/pytest -m long --timeout 0 $(ARGS)

tests: setup ## All tests but the long ones, as many at once as there are cores
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

gpu: setup ## Parity and throughput on a GPU; fails where there is none
	TRIMTAB_TEST_GPU=required $(BIN)/pytest tests/gpu --capture=no $(ARGS)

lint: setup ## Form and common faults of the code
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: setup ## Types, strictly
	$(BIN)/mypy

imports: setup ## Who may import whom
	$(BIN)/lint-imports

isolate: setup ## Each component runs with only its own dependencies
	$(ISOLATED) --package trimtab python infra/development/isolated.py trimtab \
		--without mlflow bentoml evidently scikit-learn xgboost
	$(ISOLATED) --package trimtab-pipelines python infra/development/isolated.py trimtab_pipelines \
		--without mlflow bentoml evidently
	$(ISOLATED) --package trimtab-services python infra/development/isolated.py trimtab_services \
		--without mlflow evidently
	$(ISOLATED) --package trimtab-monitoring python infra/development/isolated.py trimtab_monitoring \
		--without mlflow bentoml

format: setup ## Bring the code into form
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: setup ## The documentation as a site, in site/ (open site/index.html)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file infra/development/mkdocs.yml

bench-serving: setup ## The endpoint beside its peers (make bench-serving ARGS=--quick)
	$(BIN)/python tests/benchmarks/serving/measure.py $(ARGS)

bench-drift: setup ## The monitor beside its peers, on real data (make bench-drift ARGS=--quick)
	$(BIN)/python tests/benchmarks/drift/measure.py $(ARGS)
