# Everything a developer runs. The work is done by the scripts in scripts/, each
# of which says at its head what it does.

BIN := bin/stagedoor
SCREENSHOTS ?= bin/screenshots

# A checkout that git refuses to read (another user's) is built without its
# version stamp instead of not at all.
BUILDFLAGS := -trimpath $(shell git status >/dev/null 2>&1 || echo -buildvcs=false)

.DEFAULT_GOAL := help
.PHONY: help build test test-long test-crash check lint fmt deps e2e fuzz golden bench demo screenshots clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the program: bin/stagedoor (no C compiler needed)
	CGO_ENABLED=0 go build $(BUILDFLAGS) -o $(BIN) ./cmd/stagedoor

demo: ## Show the whole story on a terminal; Ctrl-C ends it
	go run ./cmd/stagedoor demo

test: ## Install what tests need, then lint, unit tests, both databases, end to end
	@scripts/test

test-long: ## The same, with the long form of every test that has one (hours)
	@STAGEDOOR_LONG=1 TEST_TIMEOUT=$${TEST_TIMEOUT:-3h} scripts/test

test-crash: build ## Kill the server at random moments under load, 50 times on each database
	STAGEDOOR_LONG=1 STAGEDOOR_BIN=$(CURDIR)/$(BIN) go test -count=1 -timeout 3h -v ./test/crash/...

e2e: build ## Only the tests with the built binary
	STAGEDOOR_BIN=$(CURDIR)/$(BIN) go test -count=1 ./test/...

check: ## What CI runs; do it before every push
	@.ci/run

lint: ## Formatting, vet, linters, go.mod; changes nothing
	@scripts/lint

fmt: ## Format all Go files
	@scripts/fmt

deps: ## Install what tests and linters need (with the rights to)
	@scripts/deps

fuzz: ## Run each fuzz target for FUZZTIME (10s); TARGETS='regexp' picks some
	@scripts/fuzz $(TARGETS)

golden: ## Rewrite the golden files; then read the diff as a change of a contract
	@scripts/golden

screenshots: build ## Picture the dashboard's main pages, light, dark and on a phone, into SCREENSHOTS (bin/screenshots)
	STAGEDOOR_BIN=$(CURDIR)/$(BIN) STAGEDOOR_SCREENSHOTS=$(CURDIR)/$(SCREENSHOTS) go test -count=1 ./test/dashboard

bench: build ## Measure against a relay that keeps nothing; ARGS go to the bench command
	$(BIN) bench $(ARGS)

clean: ## Remove what was built
	rm -rf bin
