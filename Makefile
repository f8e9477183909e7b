# Everything runs out of .venv, which `make install` fills from requirements/*.txt (locked, hashed).
# Needs python3 >= 3.11 and make, as root or as an ordinary user.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TOOLCHAIN := build/toolchain
HTMX := static/vendor/htmx-2.min.js
ARGS ?=

SOURCES := opsapp workers sandbox bench
# While the house is being built a folder may not be there yet.
PRESENT := $(wildcard $(SOURCES))

.DEFAULT_GOAL := help
.PHONY: help run install test-deps browser test check lock clean bench chaos screens states format

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: install ## start everything with demo data (options: make run ARGS="--port 9000")
	@exec $(BIN)/opsapp up $(ARGS)

install: $(VENV)/.installed $(HTMX) ## the .venv with everything that running needs
	@:

test-deps: $(VENV)/.test-installed browser ## what tests need on top: test packages, a browser

test: check browser ## the whole suite: static checks, then every test
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: $(VENV)/.test-installed ## static only: ruff, mypy, import contracts, house rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PRESENT)
	$(BIN)/lint-imports --no-logo
	@if [ -d tests/house ]; then $(BIN)/python -m pytest -q tests/house; fi

format: $(VENV)/.test-installed ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## every benchmark, into build/bench
	$(BIN)/python -m bench all $(ARGS)

chaos: test-deps ## the fault campaign, into build/chaos
	$(BIN)/python -m bench.chaos $(ARGS)

screens: test-deps ## a picture of every screen, into build/screens
	$(BIN)/python -m bench.screens $(ARGS)

states: install ## redraw docs/states from the state tables
	$(BIN)/opsapp states --write docs/states

lock: ## write requirements/*.txt anew from pyproject.toml
	@rm -rf build/lock && mkdir -p build/lock requirements
	$(PYTHON) -m venv build/lock/venv
	build/lock/venv/bin/python -m pip -q --disable-pip-version-check install uv
	sh requirements/lock.sh build/lock/venv/bin/uv
	@rm -rf build/lock

clean: ## remove .venv, .data and build
	@# Started by root below a private home, the servers' files lie elsewhere; the note says where.
	@if [ -f .data/servers-elsewhere ]; then \
	  place=$$(cat .data/servers-elsewhere); \
	  case "$$place" in /var/lib/opsapp/?*) rm -rf "$$place";; esac; fi
	rm -rf $(VENV) .data build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "opsapp needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
	       "Name another one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }

# Built without isolation: the locked build tools lie in a folder of their own and never enter .venv.
$(VENV)/.installed: pyproject.toml hatch_build.py requirements/run.txt requirements/build.txt | $(BIN)/python
	@echo "Installing the locked packages into $(VENV)"
	@$(PIP) install -q --require-hashes -r requirements/run.txt
	@rm -rf $(TOOLCHAIN)
	@$(PIP) install -q --require-hashes --no-deps --target $(TOOLCHAIN) -r requirements/build.txt
	@PYTHONPATH=$(CURDIR)/$(TOOLCHAIN) $(PIP) install -q --no-build-isolation --no-deps --no-index -e .
	@touch $@

# Building copies it; a deleted one is brought back by building again.
$(HTMX): | $(VENV)/.installed
	@rm -f $(VENV)/.installed
	@$(MAKE) --no-print-directory $(VENV)/.installed

$(VENV)/.test-installed: requirements/test.txt $(VENV)/.installed
	@echo "Installing the locked test packages into $(VENV)"
	@$(PIP) install -q --require-hashes -r requirements/test.txt
	@touch $@

browser: $(VENV)/.test-installed
	@sh requirements/browser.sh $(BIN)
