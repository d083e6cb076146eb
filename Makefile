# Ringfence: every job of a newcomer and of CI is a target here.  `make help` lists them.
#
# Set-up happens by itself and once: each step leaves a stamp (in .venv, node_modules or build/stamps), and runs again only
# when what it was made from has changed.  Debian's packages are installed by name, Python's come from constraints.txt by
# hash, npm's from package-lock.json by hash.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

STAMPS := build/stamps
VENV := .venv
BIN := $(VENV)/bin
PYTHON_STAMP := $(VENV)/.set-up
ASSETS_STAMP := $(STAMPS)/console-assets

UP_ARGUMENTS ?= --state build/state --protect playground
TEST_ARGUMENTS ?=
SUITE ?=

# --- the product ------------------------------------------------------------------------------------------------

.PHONY: up
up: set-up playground ## Protect ./playground on this machine and open the console (needs root; Ctrl-C ends it)
	exec $(BIN)/ringfence up $(UP_ARGUMENTS)

.PHONY: demo
demo: set-up $(STAMPS)/debian-test ## A scripted tour that narrates and checks itself (needs root)
	$(BIN)/python tools/demo.py

# --- the proof --------------------------------------------------------------------------------------------------

.PHONY: test
test: set-up $(STAMPS)/debian-test ## Every test, on the real kernel and in a real browser (needs root)
	$(BIN)/pytest $(TEST_ARGUMENTS)

.PHONY: test-vm
test-vm: set-up $(STAMPS)/debian-vm ## Hurt whole machines at boot, under QEMU; writes build/test-vm.json (needs root)
	$(BIN)/python -m vm --output build/test-vm.json

.PHONY: check
check: set-up $(STAMPS)/debian-check ## Lint, types, layers, generated documents and the rules of the house
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/generate_docs.py --check
	$(BIN)/pytest -q tests/house

.PHONY: bench
bench: set-up $(STAMPS)/debian-bench ## Measure speed and memory side by side with ClamAV; writes build/bench.json
	$(BIN)/python -m bench --output build/bench.json

.PHONY: tuf-conformance
tuf-conformance: set-up $(STAMPS)/debian-test ## Run a checkout of the public TUF suite (SUITE=DIR) against the update client
	test -d '$(SUITE)' || { echo 'tuf-conformance: say SUITE=DIR, a checkout of theupdateframework/tuf-conformance'; exit 2; }
	test -x build/tuf-conformance/bin/python || $(BIN)/python -m venv build/tuf-conformance
	build/tuf-conformance/bin/python -m pip install --quiet --disable-pip-version-check '$(SUITE)'
	client="$$PWD/$(BIN)/python $$PWD/tools/tuf_client.py"; suite="$$PWD/build/tuf-conformance/bin/python"; \
	    cd '$(SUITE)' && "$$suite" -m pytest -q tuf_conformance --entrypoint "$$client"

.PHONY: faults
faults: set-up $(STAMPS)/debian-faults ## Hurt a protected host in every way we know; writes build/faults.json (needs root)
	$(BIN)/python -m faults --output build/faults.json

# --- upkeep -----------------------------------------------------------------------------------------------------

.PHONY: set-up
set-up: $(PYTHON_STAMP) $(ASSETS_STAMP) ## Install what is missing (the other targets do it by themselves)

.PHONY: fmt
fmt: $(PYTHON_STAMP) ## Sort imports and apply the linter's safe corrections
	$(BIN)/ruff check --fix .

.PHONY: content
content: $(PYTHON_STAMP) ## Build the packaged starter release anew from content/starter, and prove it
	$(BIN)/ringfence content prove content/starter -o src/ringfence/content_files/starter.release --report build/proof.html

.PHONY: rescue
rescue: $(PYTHON_STAMP) ## Write build/rescue.pyz, which repairs the disk of a machine that does not boot
	mkdir -p build
	$(BIN)/ringfence rescue --write-tool build/rescue.pyz

.PHONY: docs
docs: $(PYTHON_STAMP) ## Write the generated documents anew, and the README's figures from build/bench.json
	$(BIN)/python tools/generate_docs.py
	$(BIN)/python tools/update_readme_figures.py

.PHONY: assets
assets: ## Bring the console's front-end libraries from npm into the package
	rm -f $(ASSETS_STAMP)
	$(MAKE) $(ASSETS_STAMP)

.PHONY: clean
clean: ## Remove everything that the other targets made, the playground and its alerts too
	rm -rf build dist playground node_modules $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	rm -rf .import_linter_cache src/ringfence/control/console/static/vendor
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@echo 'usage: make TARGET'
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 12

# --- steps of the set-up, each with its stamp --------------------------------------------------------------------

$(STAMPS)/debian-%: tools/install_debian_packages.sh
	tools/install_debian_packages.sh $*
	@mkdir -p $(STAMPS)
	@touch $@

$(PYTHON_STAMP): constraints.txt pyproject.toml | $(STAMPS)/debian-run
	test -x $(BIN)/python || "$$(tools/find_python.sh)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(ASSETS_STAMP): package.json package-lock.json tools/build_console_assets.py $(PYTHON_STAMP) | $(STAMPS)/debian-assets
	$(BIN)/python tools/build_console_assets.py
	@mkdir -p $(STAMPS)
	@touch $@

playground:
	mkdir -p playground
	echo 'Ringfence watches this directory while make up runs.' > playground/hello.txt
