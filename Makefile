# Every verb bootstraps its own environment: it needs Python >= 3.11 and make, nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# End-to-end tests that may run beside one another, those that take long first.
BESIDE := $(addprefix tests/e2e/,infra delivery test_previews.py cluster kubectl apiserver convox store test_exec.py test_metrics.py)

.PHONY: setup demo demo-release test unit infra scan check fix bench clean

setup: $(READY)

$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "leeward needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade uv
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv sync --quiet --frozen --active --compile-bytecode
	$(BIN)/python -m compileall -q src
	@touch $@

demo: $(READY)  ## a shop on three zones, under load; zone b is cut, nobody notices
	$(BIN)/python examples/storefront/demo.py

demo-release: $(READY)  ## releases go through environments; a bad one is stopped, one is taken back
	$(BIN)/python examples/storefront/release_demo.py

unit: $(READY)
	$(BIN)/pytest -q -n auto tests/unit tests/architecture

test: $(READY)  ## everything: unit, architecture, end-to-end, client and conformance tests
	$(BIN)/pytest -q -n auto tests/unit tests/architecture
	$(BIN)/pytest -q -n auto tests/golden tests/keys tests/loader tests/corpus
	$(BIN)/pytest -q -n 2 --dist loadfile $(BESIDE)
	$(BIN)/pytest -q tests/e2e/network tests/e2e/runtimes
	$(BIN)/pytest -q tests/clients
	$(BIN)/pytest -q tests/conformance

infra: $(READY)  ## clusters as code, all of it: Terraform's tests, a life cycle, and leeward's own plan and apply
	LEEWARD_INFRA=all $(BIN)/pytest -q tests/e2e/infra

scan: $(READY)  ## checkov on the sample clusters, in an environment of its own, which needs other libraries
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip install --quiet checkov
	LEEWARD_CHECKOV=$(abspath .venv-checkov/bin/checkov) $(BIN)/pytest -q tests/e2e/infra/test_terraform.py -k checkov

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python bench/run.py
	$(BIN)/python bench/api.py
	$(BIN)/python bench/scheduler.py

clean:
	rm -rf $(VENV) .venv-checkov .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
