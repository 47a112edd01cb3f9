# kumiko from a clone: `make up` and `make test` install what is missing first. Everything runs on node_modules' own Node 24.
.DEFAULT_GOAL := help
.PHONY: help up down demo-load test test-fast fuzz soak lint bench clean install pack

SHELL := /bin/sh
NODE  := node_modules/.bin/node
DIR   ?= platform

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## start the platform in DIR (platform/) on a mesh of its own; Ctrl-C stops all of it
	@[ "$(DIR)" != platform ] || sh scripts/install.sh --system --edge
	@./kumiko up $(DIR)

down: ## stop it from elsewhere, also after a crash
	@./kumiko down $(DIR)

demo-load: ## realistic traffic on the platform that runs: RATE (40) a second for SECONDS (60), from SEED (printed)
	@PLATFORM_STATE=$${PLATFORM_STATE:-$(CURDIR)/$(DIR)/.kumiko/platform} $(MAKE) --no-print-directory -C platform demo-load

test: install-system ## lint, types, import rules and all tests, end to end on real Envoys included
	@failed=0; \
	$(NODE) scripts/lint.ts || failed=1; \
	$(NODE) scripts/test.ts || failed=1; \
	exit $$failed

test-fast: install ## the tests beside the source only
	@$(NODE) scripts/test.ts --project unit

# The tests that repeat what they do: few times in `make test`, in full here.
SOAK ?= test/soak test/e2e/streams src/store src/source/half-written src/xds src/ca src/runtime/relay

SECONDS ?= 60
fuzz: install-system ## evaluator against real Envoys on generated meshes, for SECONDS (60), from SEED (printed)
	@$(NODE) test/fuzz/main.ts --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

soak: install-system ## what takes long: kills, damage, rollouts and streams at their full numbers, an hour of requests (KUMIKO_SOAK_SECONDS)
	@KUMIKO_SOAK=full KUMIKO_STREAM_SECONDS=45 $(NODE) scripts/test.ts --project unit --project e2e --project soak $(SOAK)

lint: install ## linter, format, types, import rules
	@$(NODE) scripts/lint.ts

bench: install-system ## measurements, printed as a table
	@$(NODE) test/bench/main.ts

pack: install ## the npm package, as a .tgz here
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH" npm pack

clean: install ## stop the mesh; remove its state and everything that was built
	@./kumiko down $(DIR)
	@rm -rf $(DIR)/.kumiko dist src/gen coverage node_modules/.cache kumiko-*.tgz
	@echo "clean: removed $(DIR)/.kumiko, dist, src/gen and caches; node_modules stays (rm -rf node_modules)"

install: ## what the other targets need: npm packages, generated types
	@sh scripts/install.sh

.PHONY: install-system
install-system:
	@sh scripts/install.sh --system --tests
