# The few commands that a person needs. FLAGS goes to hyperup: make up FLAGS='--mirror cn'
# TESTS picks test files by a part of their path: make unit TESTS=unit/config

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build check format unit integration e2e test bench bench-dns bench-kubelet bench-images up down engine clean

NODE ?= node
NPM ?= npm
FLAGS ?=
TESTS ?=

bin := node_modules/.bin
installed := node_modules/.package-lock.json
dist := build/dist.stamp
test_js := build/test-js.stamp
hyperup := $(NODE) dist/cli/main.js
run_tests := $(NODE) build/test-js/test/run.js
sources := $(shell find src -type f -name '*.ts')
test_sources := $(shell find test -type f -name '*.ts')

help: ## list these commands
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do printf '  make %-13s %s\n' "$$name" "$$what"; done

build: $(dist) ## compile to dist/

check: $(installed) ## lint, formatting, types
	$(bin)/biome check --error-on-warnings .
	$(bin)/tsc -p tsconfig.test.json --noEmit

format: $(installed) ## put formatting right
	$(bin)/biome check --write .

unit: $(test_js) ## tests without network and Docker
	$(run_tests) unit $(TESTS)

integration: $(test_js) $(dist) ## tests on a real engine and registry, as root
	$(run_tests) integration $(TESTS)

e2e: $(test_js) $(dist) ## from install to uninstall, as root
	$(run_tests) e2e $(TESTS)

test: $(test_js) $(dist) ## every test; ends with "N passed, N failed, N skipped"
	@$(run_tests) unit integration e2e $(TESTS)

bench: $(test_js) $(dist) ## compare with kubeadm on this machine, as root
	$(NODE) build/test-js/test/bench/run.js

bench-kubelet: $(test_js) $(dist) ## compare the built-in kubelet with the Go one, as root
	$(NODE) build/test-js/test/bench/kubelet/run.js

bench-dns: $(test_js) $(dist) ## measure the DNS server on this machine (installs dnsperf)
	$(NODE) build/test-js/test/bench/dns/run.js

bench-images: $(test_js) $(dist) ## compare image copies with skopeo on this machine (wants docker-registry and skopeo)
	$(NODE) build/test-js/test/bench/images/run.js

up: $(dist) ## as root: a Ready cluster, with Docker installed if there is none
	@$(hyperup) install --install-engine $(FLAGS)

down: $(dist) ## as root: take it all back
	@$(hyperup) uninstall --yes $(FLAGS)

engine: ## as root: make this a test machine (packages, an engine for privileged containers)
	@test/engine/setup.sh

clean: ## remove what was compiled
	rm -rf dist build .tap

$(installed): package-lock.json package.json
	$(NPM) ci --no-audit --no-fund
	@touch $@

$(dist): $(installed) $(sources) tsconfig.json tsconfig.base.json bundle.js
	@rm -rf dist
	$(bin)/tsc -p tsconfig.json
	$(NODE) bundle.js
	@chmod +x dist/cli/main.js
	@mkdir -p $(@D) && touch $@

$(test_js): $(installed) $(sources) $(test_sources) tsconfig.test.json tsconfig.base.json
	@rm -rf build/test-js
	$(bin)/tsc -p tsconfig.test.json
	@mkdir -p $(@D) && touch $@
