# `make run` and `make test` do all the set-up they need; `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
# A file at a time in one process a core, in their order: what is short comes last and fills what is
# left at the end. Those are the unit tests.
PYTEST := bin/python -m pytest --numprocesses auto --dist loadgroup --no-loadscope-reorder

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: ## only install everything, tools for tests and lint included
	@bin/setup dev

.PHONY: run
run: ## run the application at http://127.0.0.1:3000 (KEEP=1 keeps the data of the last run)
	@bin/setup
	@exec bin/python -m local

.PHONY: cloud
cloud: ## run it without its API, for `sam local start-api` in another terminal
	@bin/setup
	@exec bin/python -m local --no-api

.PHONY: test
test: setup ## run the unit, integration and local tests; where Docker runs, those in containers, too
	@$(PYTEST) -m 'not proof' tests

.PHONY: prove
prove: setup ## run the longest tests, such as every schedule with two faults
	@# A test at a time: they are few and long, the longest in a unit file, and share nothing.
	@$(PYTEST) --dist load --maxschedchunk 1 -m proof tests/unit tests/integration tests/local

.PHONY: smoke
smoke: setup ## build for both architectures and import every handler; build and use the client
	@bin/python -m tests.smoke

.PHONY: events
events: setup ## run every sample event in a container, and compare answers and rows (needs Docker)
	@REQUIRE_DOCKER=1 bin/python -m pytest tests/sam_local -k sample_event --verbose

.PHONY: rehearse
rehearse: setup ## deploy to an emulator of AWS; use, update, delete and deploy again
	@bin/setup sam rehearse
	@REHEARSE=1 bin/python -m pytest tests/rehearse --verbose

.PHONY: conformance
conformance: setup ## test the contract at API=https://… with two people's TOKEN=… OTHER_TOKEN=…
	@API="$${API:?}" TOKEN="$${TOKEN:?}" OTHER_TOKEN="$${OTHER_TOKEN:?}" \
		bin/python -m pytest --quiet tests/conformance

.PHONY: audit
audit: setup ## look for known vulnerabilities of the pinned packages, and list their licences
	@bin/setup audit
	@bin/python -m tests.audit

.PHONY: contract
contract: setup ## send thousands of generated requests to the API (SEED=2 for others)
	@bin/setup contract
	@CONTRACT=1 bin/python -m pytest tests/generated --verbose

.PHONY: browser
browser: setup ## use the web client in Chromium, as people do
	@bin/setup browser
	@BROWSER=1 $(PYTEST) tests/browser

.PHONY: screenshots
screenshots: setup ## take the pictures of the web client in docs/
	@bin/setup browser
	@BROWSER=1 bin/python -m pytest tests/browser/screenshots.py

.PHONY: bench
bench: setup ## measure cold and warm starts, the stream, growth; tables, and plots in .build/results
	@bin/setup sam plots
	@bin/sam build >.build/sam-build.log 2>&1 || { cat .build/sam-build.log; exit 1; }
	@bin/python -m bench
	@.build/plots/bin/python bench/plots.py .build/results/results.json .build/results

.PHONY: load
load: setup ## let two hundred people use the local cloud at once; then verify everything
	@bin/setup plots load
	@bin/python -m bench.load

.PHONY: lint
lint: setup ## check format, lint, types and the template
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/cfn-lint --include-checks I -- template.yaml
	bin/sam validate --lint
	bin/setup checkov
	bin/python -m sam_offline.template template.yaml DeletionProtection=true WebClient=true >.build/translated.json
	TMPDIR=.build/tmp .build/checkov/bin/checkov --config-file .checkov.yaml

.PHONY: check
check: lint test ## run lint and test; CI also runs prove, smoke, browser and rehearse

.PHONY: format
format: setup ## format the code, and fix what lint can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lock
lock: ## pin the newest versions of all packages (needs the network)
	@bin/setup --lock

.PHONY: clean
clean: ## remove all environments and local data
	rm -rf .venv .build .local .sam-offline .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis
