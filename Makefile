# Every command a newcomer, a developer and the CI need. `make help` lists them.
# The work is in scripts/ and CMakePresets.json; this file only names it.

.DEFAULT_GOAL := help
.PHONY: help setup setup-program build demo test e2e e2e-core faults lint asan tsan fuzz bench bench-cluster clean

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup-program: ## install what the program and the demo need (Debian 12 packages)
	@scripts/setup.sh program

setup: ## install everything: program, tests, lint, benchmarks
	@scripts/setup.sh program test bench

build: setup-program ## build the program: build/portcullis
	@scripts/build.sh

demo: ## build, then show both doors and the command line at work, on loopback
	@scripts/demo.sh

test: ## install, build and run all tests
	@scripts/test.sh

e2e: ## the gate in a real control plane: API server, etcd, the shipped manifests (as root)
	@scripts/e2e.sh

e2e-core: ## its core, as .ci/run runs it
	@scripts/e2e.sh --core

faults: ## the long tests: what breaks around the gate, with a figure each
	@scripts/faults.sh

lint: ## formatting, clang-tidy, shellcheck
	@scripts/lint.sh

asan: ## the test suites under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/sanitize.sh asan

tsan: ## the test suites under ThreadSanitizer
	@scripts/sanitize.sh tsan

fuzz: ## a minute of libFuzzer for every reader of strangers' bytes
	@scripts/fuzz.sh

bench: ## measure beside nginx, one core each; writes build/bench.md
	@scripts/bench.sh

bench-cluster: ## creates through a real API server, without the gate and with it (as root); writes build/bench-cluster.md
	@scripts/bench_cluster.sh

clean: ## remove everything that was built
	rm -rf build
