# What people type. Every target can be run again at any time; each installs what it needs and is missing.
#
#   make demo     build, then see a contract written, deployed, called, watched and verified
#   make test     every test of the workspace
#   make simulate lives of nodes on bad disks, then of networks of nodes: SEEDS of each (3000 and 1000), from seed FIRST
#   make finality  how long validators take to agree, by their number and distance, in simulated time
#   make planted  plant bugs that the simulations must catch
#   make faults   partitions, losses, kills and restarts of a network, for some minutes; what was seen is printed
#   make fuzz     each fuzz target for a minute; FUZZ_SECONDS=600 for longer
#   make bench    measure; figures in target/bench/results.json
#   make bench-peers  one transfer on Rustorium and on its peers; figures in target/peers/bench/results.json
#   make lint     format, clippy, documentation, licences
#   make docs     the API documentation

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build guests light-wasm demo test simulate simulate-nodes simulate-networks finality planted faults fuzz bench bench-peers lint docs

CONTRACTS := $(patsubst %/Cargo.toml,%,$(wildcard contracts/*/Cargo.toml examples/*/Cargo.toml))

help:
	@sed -n 's/^#   //p' Makefile

setup:
	@tests/setup/debian.sh
	@sdk/wasm-target.sh >/dev/null
	@cargo fetch --locked

build: setup
	cargo build --locked --package rustorium-node --bin rustorium

# Tests build the contracts that they need themselves; built here first, the wait is seen. Needs the binary.
guests:
	@set -e; for contract in $(CONTRACTS); do \
	  target/debug/rustorium build --locked --target-dir target/guests "$$contract"; \
	done

demo: build
	@tests/demo.sh

# The light client also runs in browsers.
light-wasm: setup
	RUSTC="$$(sdk/wasm-target.sh)" cargo check --locked --package rustorium-light \
	  --target wasm32-unknown-unknown --target-dir target/light-wasm --ignore-rust-version \
	  --config 'profile.dev.package."*".opt-level=0'

# The binary comes out of the tests' own build: built apart, it would have dependencies with other features.
test: light-wasm
	cargo test --locked --workspace --no-run
	@$(MAKE) --no-print-directory guests
	cargo test --locked --workspace

FIRST ?= 1

simulate: simulate-nodes simulate-networks

simulate-nodes: setup
	SEEDS=$(or $(SEEDS),3000) FIRST=$(FIRST) cargo test --locked --workspace --test simulation \
	  whatever_befalls -- --nocapture

simulate-networks: setup
	SEEDS=$(or $(SEEDS),1000) FIRST=$(FIRST) cargo test --locked --workspace --test networks \
	  whatever_befalls -- --nocapture

finality: setup
	cargo test --locked --workspace --test networks finality -- --ignored --nocapture

planted: setup
	@tests/simulation/planted.sh

# One after the other: they measure.
faults: setup
	cargo test --locked --workspace --test end_to_end -- faults:: --include-ignored --nocapture --test-threads 1
	cargo test --locked --workspace --lib -- ten_thousand_dial --include-ignored

FUZZ_SECONDS ?= 60

fuzz: setup
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh

bench: build guests
	cargo bench --locked --package rustorium-types --package rustorium-runtime --package rustorium-chain \
	  --package rustorium-network --benches
	cargo bench --locked --package rustorium-node --bench figures

# Apart from `bench`: what it compares with takes long to compile.
bench-peers: build
	@tests/peers/run.sh

lint: setup
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps
	@if command -v cargo-deny >/dev/null; then \
	  cargo deny --offline check --config .cargo/deny.toml bans licenses sources; \
	else \
	  echo "lint: cargo-deny is not installed: licences and duplicate versions were not checked"; \
	fi

docs: setup
	cargo doc --locked --workspace --no-deps
	@echo "open target/doc/rustorium_sdk/index.html"
