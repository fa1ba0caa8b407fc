# What a developer and the CI run. `make` alone lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help tools build test demo crds docs fmt deny deny-advisories clean-tools

# All builds name the whole workspace, so that they share every compiled crate: which features a dependency is compiled with depends
# on the packages that are named.
WORKSPACE := --workspace --locked
TARGET := $(or $(CARGO_TARGET_DIR),target)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## Build or reuse the pinned servers that the tests run against (first time about 10 min on 2 cores)
	@tests/tools/build.sh

build: ## Build our binaries for debugging, as the tests start them
	cargo build $(WORKSPACE) --bins

test: ## Everything that the CI checks; the last line counts
	@tests/tools/test.sh

demo: tools ## The main job on real servers; KEEP=1 leaves them up and prints the kubeconfig
	cargo build $(WORKSPACE) --bins
	@KEEP=$(KEEP) $(TARGET)/debug/demo

crds: ## Write manifests/crds from the types in api
	cargo run -q -p api --bin crds manifests/crds

docs: ## Write docs/templates.md from the template functions
	cargo run -q -p template --example docs > docs/templates.md.new && mv docs/templates.md.new docs/templates.md

fmt: ## Format the code
	cargo fmt --all

deny: tools ## Check licences, banned crates and sources
	@"$$(tests/tools/build.sh --where)/bin/cargo-deny" --log-level error check licenses bans sources

deny-advisories: tools ## Check for known vulnerabilities; fetches the advisory database
	@"$$(tests/tools/build.sh --where)/bin/cargo-deny" check advisories

clean-tools: ## Remove the built tools; the next run builds them again
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/external-secrets-rs/tools"
