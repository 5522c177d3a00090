# Two commands matter: `make demo` and `make test`. Each makes sure of what it needs first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench soak fuzz-api sqlx deb deb-test boot-test screenshots

export CARGO_TARGET_DIR ?= $(CURDIR)/target
# For `make demo`: how long it runs, what it leaves behind, and where it keeps its state.
export DURATION ?= 45
export KEEP ?= 0
# For `make fuzz-api`: how long requests are made up.
SECONDS ?= 60
# The features are named: without libnfc and without the clock that tests can step, which only tests need.
RELEASE := cargo build --release --features firmware-bridge/emulators -p cloud-api -p edge-agent -p firmware-bridge -p tests --bins

help: ## Say what there is
	@echo "Gymwire: an edge gateway for a gym, and its cloud."
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 14

setup: ## Install what is missing (Debian packages, cargo-nextest), or say what to type
	@packaging/setup.sh

demo: setup ## A simulated gym, an outage of the cloud, and a count (DURATION=45, KEEP=1 leaves it running)
	@$(RELEASE)
	@"$(CARGO_TARGET_DIR)/release/demo"

test: setup ## Every test
	@packaging/test.sh

check: setup ## Format, lints, documentation, licences, and that generated files are fresh
	@packaging/check.sh

bench: setup ## Measure, beside the peers and limits, in one run
	@$(RELEASE)
	@"$(CARGO_TARGET_DIR)/release/bench"

screenshots: setup ## Pictures of every page of the staff into docs/screenshots
	@cargo build --workspace --all-features --bins
	@"$(CARGO_TARGET_DIR)/debug/screenshots" docs/screenshots

soak: setup ## The long versions of the fault tests (1 000 kills, a month at 1 Hz)
	@packaging/test.sh soak

fuzz-api: setup ## Made-up requests against the API document, with schemathesis (SECONDS=60)
	@packaging/fuzz-api.sh "$(SECONDS)"

deb: setup ## Debian packages for every processor that this computer can build for
	@packaging/deb.sh

deb-test: setup ## Install, upgrade, remove and purge the packages in a clean Debian (part of test)
	@cargo build --workspace --all-features --bins
	@packaging/deb-test.sh

boot-test: setup ## Try the units under a systemd of their own, in a clean Debian (part of test)
	@cargo build --workspace --all-features --bins
	@packaging/boot-test.sh

sqlx: setup ## Write cloud-api/.sqlx anew after a change of SQL or schema
	@packaging/sqlx.sh
