# `make run` and `make test` do all the set-up they need; `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
# A file at a time in one process a core.
PYTEST := bin/python -m pytest --numprocesses auto --dist loadfile

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: ## set up what tests and lint need, nothing else
	@bin/setup dev

.PHONY: run
run: ## run everything on this machine: http://127.0.0.1:3000 (KEEP=1 keeps what was written)
	@bin/setup
	@exec bin/python -m local

.PHONY: cloud
cloud: ## the same without the API, beside `sam local start-api`
	@bin/setup
	@exec bin/python -m local --no-api

.PHONY: test
test: setup ## unit, integration and local tests, and those in containers where Docker runs
	@$(PYTEST) -m 'not proof' tests

.PHONY: prove
prove: setup ## the tests that take minutes, such as every schedule of four messages
	@$(PYTEST) -m proof tests

.PHONY: smoke
smoke: ## build for both architectures, import every handler with its built layers alone
	@bin/setup
	@bin/python -m local.smoke

.PHONY: events
events: setup ## run every sample event in a container, compare answers and rows (needs Docker)
	@REQUIRE_DOCKER=1 bin/python -m pytest tests/sam_local -k sample_event --verbose

.PHONY: rehearse
rehearse: setup ## deploy to an emulator of AWS, use, update, take down, set up again
	@bin/setup sam rehearse
	@REHEARSE=1 bin/python -m pytest tests/rehearse --verbose

.PHONY: lint
lint: setup ## format, lint, types, template lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/cfn-lint --include-checks I -- template.yaml
	bin/sam validate --lint
	bin/setup checkov
	bin/python -m local.translated >.build/translated.json
	.build/checkov/bin/checkov --file .build/translated.json --framework cloudformation \
		--skip-download --quiet --compact

.PHONY: check
check: lint test ## everything that CI runs: lint, then the tests

.PHONY: format
format: setup ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lock
lock: ## pin the newest versions again (needs the network)
	@bin/setup --lock

.PHONY: clean
clean: ## remove the environments and all local data
	rm -rf .venv .build .local .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis
