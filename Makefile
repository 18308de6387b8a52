# One command each: run, test, lab. The set-up happens by itself, in .venv.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c '$(SUPPORTED)' 2>/dev/null && echo $(p))))
BIN := .venv/bin

.PHONY: run run-gcp test airflow lab lint notebooks bench kill clean

run: .venv/.run ## run the runbook deploy-aws on the sandbox
	$(BIN)/ragonotebooks run deploy-aws

run-gcp: .venv/.gcp ## run the runbook deploy-gcp on the sandbox
	$(BIN)/ragonotebooks run deploy-gcp

test: .venv/.test lint ## pass every test, nbval on every notebook included
	$(BIN)/pytest -p no:nbval -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_OPTIONS)

airflow: .venv-airflow/.test ## run the example DAG with Airflow, in an environment of its own
	.venv-airflow/bin/pytest -p no:nbval tests/elsewhere/test_airflow.py

lab: .venv/.lab ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=.

lint: .venv/.test ## style, types, layers, lessons
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/ragonotebooks lint

notebooks: .venv/.test ## execute every notebook and save it with its outputs
	$(BIN)/python -m tests.notebooks.save

bench: .venv/.test ## measure what matters, as ratios and medians
	$(BIN)/python -m tests.bench.bench

kill: .venv/.test ## kill a runbook's run at every step and resume it: make kill RUNBOOK=deploy-index-aws
	$(BIN)/python -m tests.runbooks.killing $(or $(RUNBOOK),deploy-index-aws)

clean: ## remove what was set up here, and the sandbox of the same name as always
	-$(BIN)/ragonotebooks sandbox down
	rm -rf .venv .venv-airflow runs

.venv/bin/python:
	@"$(PYTHON)" -c '$(SUPPORTED)' 2>/dev/null || { echo "ragonotebooks needs Python 3.11, 3.12 or 3.13; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 2; }
	$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/.test: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@ .venv/.run .venv/.gcp

.venv/.gcp: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[gcp]"
	touch $@ .venv/.run

.venv/.lab: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[lab,gcp]"
	touch $@ .venv/.run .venv/.gcp

# Airflow pins versions that ours do not go with
.venv-airflow/.test: .venv/bin/python pyproject.toml constraints-airflow.txt
	$(BIN)/python -m venv .venv-airflow
	.venv-airflow/bin/pip install --quiet --disable-pip-version-check -c constraints-airflow.txt -e . \
		apache-airflow-providers-papermill pytest pytest-timeout pytest-xdist
	touch $@
