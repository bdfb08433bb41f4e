# Every target does its own set-up: a fresh machine needs Python 3.11 or newer and make.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: install demo test test-long lint check bench screenshots lock clean

install: $(STAMP)

$(STAMP): requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q app config connectors domain rollup storage sync
	touch $@

# A simulated Jira, a sample company and the whole road; ARGS=--once prints the result and exits.
demo: install
	$(BIN)/keyrail demo $(ARGS)

test: install
	$(BIN)/python -m pytest -n 2 -m "not long"

test-long: install
	$(BIN)/python -m pytest -n 2

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

check: lint
	$(BIN)/python -m pytest -n 2 -m "not long and not journey and not postgres"

# Ratios against bench/plain.py in the same run; exits 1 where a bound is missed.
bench: install
	$(BIN)/python -m compileall -q app bench config connectors domain rollup storage sync
	$(BIN)/python -m bench.suite
	$(BIN)/python -m bench.receiver
	$(BIN)/python -m bench.backtest
	$(BIN)/python -m bench.sums
	$(BIN)/python -m bench.latency

# Pictures of the dashboard for README and docs; needs Debian's chromium.
screenshots: install
	KEYRAIL_WRITE_SCREENSHOTS=docs/images $(BIN)/python -m pytest -q tests/web/pages/test_browser.py -k screenshots

# Needs uv on the path. The lock files name no index.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra demo pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
