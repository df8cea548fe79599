# `make help` tells what there is.
.DEFAULT_GOAL := help
.PHONY: help run test dev release cluster check lint-front size measure bench growth soak chaos fuzz prerequisites

# Arguments for the server: make run ARGS='--listen 127.0.0.1:4000'
ARGS ?=
XTASK := cargo run --package xtask --

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: prerequisites ## build and start Partyline on one machine, data in ./data
	@$(XTASK) run -- $(ARGS)

test: ## every test, against real Kafka, Redis, PostgreSQL and a browser
	@end2end/test

dev: prerequisites ## rebuild and reload at each change of a file (cargo-leptos)
	@xtask/tools cargo-leptos wasm-bindgen
	@cargo leptos watch

release: prerequisites ## one optimised program and its site in target/release
	@$(XTASK) build --release
	@rm -rf target/release/site && cp -R target/site target/release/site
	@echo "start it:  LEPTOS_SITE_ROOT=target/release/site target/release/partyline"

cluster: prerequisites ## Kafka, Redis, PostgreSQL and three nodes on this machine
	@end2end/cluster

# Clippy sees server and app in one invocation: with other features it would compile the world again.
check: prerequisites ## formatting, lints (warnings are errors), and which folder may speak to what
	cargo fmt --all --check
	cargo clippy -p server -p app -p chaos --all-targets -- -D warnings
	cargo clippy -p xtask --all-targets -- -D warnings
	cargo clippy -p bench --all-targets -- -D warnings
	@$(MAKE) --no-print-directory lint-front
	cargo test --quiet -p xtask --test architecture

lint-front:
	cargo clippy -p frontend --features split --target wasm32-unknown-unknown --target-dir target/front -- -D warnings

size: prerequisites ## what a browser downloads, against budgets and limits
	@command -v node >/dev/null || xtask/packages nodejs
	@$(XTASK) site --release
	@node end2end/size.mjs target/site/pkg

measure: prerequisites ## how the page feels, in figures: end2end/BROWSER.md
	@$(XTASK) build --release
	cd end2end && npm ci --silent && MEASURE=1 PARTYLINE_PROGRAM=$(CURDIR)/target/release/partyline CHROMIUM=$$(command -v chromium || ./browser) npx playwright test --project=measure --reporter=list

BENCH ?=
bench: prerequisites ## Partyline against the floor, and peers that run here: BENCH='--peer centrifugo=127.0.0.1:8000@PID'
	@$(XTASK) build --release
	cargo build --release -p bench
	LEPTOS_SITE_ROOT=$(CURDIR)/target/site target/release/bench --out end2end/BENCHMARKS.md $(BENCH)

GROWTH ?=
growth: prerequisites ## what costs as there is more of it, end2end/GROWTH.md: GROWTH='--cluster --messages 1000000'
	@$(XTASK) build --release
	cargo build --release -p bench
	LEPTOS_SITE_ROOT=$(CURDIR)/target/site target/release/bench growth $(GROWTH)

SOAK ?=
soak: prerequisites ## the same mix for a long time, judged, end2end/GROWTH.md: MINUTES=… SOAK='--cluster'
	@$(XTASK) build --release
	cargo build --release -p bench
	LEPTOS_SITE_ROOT=$(CURDIR)/target/site target/release/bench soak --minutes $(MINUTES) $(SOAK)

SEED ?= $(shell date +%s)
MINUTES ?= 10
chaos: prerequisites ## kill, hold and cut off everything under load, then judge: SEED=… MINUTES=…
	cargo build --release -p server -p chaos
	target/release/chaos run --partyline target/release/partyline --seed $(SEED) --minutes $(MINUTES)

SECONDS ?= 30
READERS ?=
fuzz: prerequisites ## every parser under libFuzzer, so long each: SECONDS=… READERS=…
	fuzz/run $(SECONDS) $(READERS)

prerequisites:
	@xtask/packages build
