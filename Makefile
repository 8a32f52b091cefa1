# The verbs of this project. CI uses the same ones. `make` alone lists them.

SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
# The first Python that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# What may be given: make test T="tests/core -k uptime", make soak SECONDS=600 SEED=1, make bench B="page"
T ?= tests
SECONDS ?= 60
SEED ?=
B ?=
# Many tests wait for a clock or a process, so that one more than there are cores keeps these busy.
WORKERS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))

.PHONY: help setup setup-dev run test check cover format soak bench screenshots docs languages constraints dist dist-test npm browser authority servers storage clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/run.stamp ## set up .venv with what the daemon needs

setup-dev: $(VENV)/dev.stamp ## set up .venv with what tests and checks need, too

run: setup ## start the daemon on config.example.toml
	@echo "The page will be at http://$$(sed -nE 's/^listen *= *\["([^"]+)".*/\1/p' config.example.toml | head -n 1)/  (Ctrl-C stops)"
	@exec $(VENV)/bin/crisp-status run -c config.example.toml

test: setup-dev browser npm authority servers storage ## all tests
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal $(T)

check: setup-dev ## style, types, layers, tidiness, docs, dependencies
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/vulture
	@$(VENV)/bin/deptry . >/dev/null 2>&1 || $(VENV)/bin/deptry .
	@$(VENV)/bin/tombi lint --offline --quiet config.example.toml
	@$(PY) .ci/audit.py constraints-dev.txt
	@$(PY) -m pytest -q tests/test_tidy.py tests/test_docs.py tests/test_kinds.py tests/test_layers.py
	@$(MAKE) --no-print-directory cover

cover: setup-dev ## the stories of the core reach every branch of it
	@rm -f .coverage.core*
	@$(PY) -m coverage run --data-file=.coverage.core --source=crisp_status/core -m pytest -q tests/core
	@$(PY) -m coverage combine --quiet --data-file=.coverage.core .coverage.core.*
	@$(PY) -m coverage report --data-file=.coverage.core --fail-under=100
	@rm -f .coverage.core*

format: setup-dev ## put the code into shape
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .

soak: setup-dev ## random faults, killed daemons, hostile input, each for SECONDS (60)
	@$(PY) -m tests.simulate --seconds $(SECONDS) $(SEED:%=--first %)
	@$(PY) -m tests.nights --seconds $(SECONDS) $(SEED:%=--first %)
	@$(PY) -m tests.sigkill --seconds $(SECONDS) $(SEED:%=--seed %)
	@$(PY) -m tests.fuzz --seconds $(SECONDS) $(SEED:%=--seed %)

bench: setup-dev ## measure, side by side with the references
	@$(PY) -m benchmarks $(B)

screenshots: setup-dev browser ## take the pictures of docs/ from the real page
	@$(PY) -m tests.screenshots docs

docs: setup-dev ## make the pages that are made from the program
	@$(VENV)/bin/crisp-status schema > docs/config.schema.json
	@$(PY) packaging/configuration_page.py

languages: setup-dev ## take new sentences into templates/languages, and compile what is translated
	@$(PY) packaging/languages.py

dist: setup-dev ## make what a release has, in dist/: wheel, one-file executable, Debian package, checksums
	@$(PY) packaging/dist.py

dist-test: setup-dev ## try dist/ on whole machines that boot: needs root, debootstrap, systemd-container
	@command -v debootstrap systemd-nspawn >/dev/null || .ci/install debootstrap systemd-container
	@$(PY) -m pytest --timeout 1800 $(TRIES)

TRIES ?= tests/release/try_one_file.py tests/release/try_debian.py

constraints: setup-dev ## choose the newest versions again, with hashes
	@env -u PIP_FIND_LINKS $(PY) -m piptools compile $(COMPILE) --all-extras --output-file constraints-dev.txt pyproject.toml
	@env -u PIP_FIND_LINKS $(PY) -m piptools compile $(COMPILE) $(EXTRAS:%=--extra %) --build-deps-for editable \
		--constraint constraints-dev.txt --output-file constraints.txt pyproject.toml
	@sed -i -E '/^(#|$$)/d' constraints.txt constraints-dev.txt

# Nothing but names, versions and hashes is written: where they came from differs from machine to machine.
COMPILE := --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate --no-emit-options
EXTRAS := apprise brotli gatus metrics mysql passkeys postgres preview publish reporter uvloop

clean: ## remove what was made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/npm/node_modules tests/s3/.venv

$(PY):
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed: apt install python3 python3-venv"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv is missing: apt install python3-venv (or the python3.x-venv of your $(PYTHON))"; exit 2; }

# On a terminal, one line that says how far pip is; elsewhere nothing, as nobody watches.
progress = { [ -t 1 ] || exec cat >/dev/null; awk -v of=$$(grep -c == $(1)) \
	'/^(Collecting|Requirement already)/ { printf "\r\033[K%d of %d  %s", ++n, of, $$2 == "already" ? $$4 : $$2 } \
	/^Installing/ { printf "\r\033[Kunpacking them …" } { fflush() } END { printf "\r\033[K" }'; }

$(VENV)/run.stamp: constraints.txt pyproject.toml | $(PY)
	@echo "setting up $(VENV): $$(grep -c == constraints.txt) packages, into this folder only, about a minute …"
	@set -o pipefail; $(PIP) install --require-hashes -r constraints.txt | $(call progress,constraints.txt)
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: constraints-dev.txt $(VENV)/run.stamp
	@echo "setting up tools for tests and checks: $$(grep -c == constraints-dev.txt) packages in all, about a minute …"
	@set -o pipefail; $(PIP) install --require-hashes -r constraints-dev.txt | $(call progress,constraints-dev.txt)
	@touch $@

# Chromium comes from the system; where it cannot be had, tests/conftest.py skips loudly, or fails in CI.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || .ci/install chromium || \
		echo "!! NO CHROMIUM: browser tests are skipped (apt install chromium)"

# A certificate authority for tests, which gives certificates to anybody.
authority:
	@command -v pebble pebble-challtestsrv >/dev/null || .ci/install pebble || \
		echo "!! NO PEBBLE: tests with a certificate authority are skipped (apt install pebble)"

# Real servers that looks are tried with.
servers:
	@for program in redis-server mariadbd dovecot nginx tinyproxy microsocks rabbitmq-server lighttpd prometheus; do command -v $$program || exit 1; done >/dev/null && \
		ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || \
		.ci/install redis-server mariadb-server-core dovecot-imapd dovecot-pop3d postgresql nginx-light tinyproxy microsocks rabbitmq-server lighttpd prometheus || \
		echo "!! NO SERVERS: looks are not tried with real databases, brokers, proxies, web and mail servers"

# A server of S3-compatible object storage, in an environment of its own: what it needs is older than what the daemon does.
storage: tests/s3/.venv/.stamp

tests/s3/.venv/.stamp: tests/s3/constraints.txt
	@$(PYTHON) -m venv tests/s3/.venv
	@tests/s3/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/s3/constraints.txt
	@touch $@

# The published reporters of other people, which our daemon must understand.
npm:
	@command -v npm >/dev/null || .ci/install nodejs npm || echo "!! NO NPM: tests with published reporters are skipped (apt install npm)"
	@! command -v npm >/dev/null || $(MAKE) --no-print-directory tests/npm/node_modules/.stamp || \
		echo "!! NPM INSTALL FAILED: tests with published reporters are skipped"

tests/npm/node_modules/.stamp: tests/npm/package.json
	@npm install --prefix tests/npm --silent --no-package-lock --ignore-scripts --no-audit --no-fund
	@touch $@
