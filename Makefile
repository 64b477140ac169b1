# `make help` lists the targets. You need Python 3.10 or newer; choose another one than
# python3 with PYTHON=python3.12.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# djongo needs Django 3.1, which doesn't run on Python 3.12.
DJONGO_PYTHON ?= python3.11
DJONGO_VENV ?= .venv-djongo
# Django 6.1, for the second run on DocumentDB, needs Python 3.12 or newer.
DOCUMENTDB_PYTHON ?= python3.13
DOCUMENTDB_VENV ?= .venv-documentdb
# Compiles the requirements.
UV = uv==0.13.9

.DEFAULT_GOAL := help
.PHONY: push deploy deployment destroy help demo demo-kill dev soak bench test test-all test-mongodb test-sqlite test-postgres test-djongo test-documentdb test-documentdb-newest test-package test-lanes wheel pictures fuzz fuzz-sqlite fuzz-mongodb requirements licences lint clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | while IFS='|' read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.local ## the main job end to end: API, enqueue, worker, AWS Batch, outcome
	@$(BIN)/python scripts/demo.py

demo-kill: $(VENV)/.local ## the same, but the worker is killed by SIGKILL in the middle
	@$(BIN)/python scripts/demo.py --kill

dev: $(VENV)/.local ## the whole system until Ctrl-C: database, local AWS Batch, web server on :8000, worker
	@$(BIN)/python scripts/dev.py

soak: $(VENV)/.local ## many jobs while workers and containers are killed: make soak JOBS=1000 KILLS=200 SECONDS=900 SEED=7
	@$(BIN)/python scripts/soak.py $(if $(JOBS),--jobs $(JOBS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.dev $(VENV)-peer/.installed ## benchmarks, in half an hour; some: make bench BENCH="--quick --only drain,depth --databases sqlite"
	@$(BIN)/python -m bench --peer $(VENV)-peer/bin/python $(BENCH)

push: $(VENV)/.local ## the image into AWS, which needs Docker: make push TAG=1.4.2
	@$(BIN)/python manage.py batchexec push --run $(if $(TAG),--tag $(TAG)) $(PUSH)

deploy: $(VENV)/.local ## all of AWS, or a new release: make deploy IMAGE=…@sha256:… DEPLOY="--database-url-file FILE"
	@$(BIN)/python manage.py batchexec deploy $(if $(IMAGE),--image $(IMAGE)) $(DEPLOY)

deployment: $(VENV)/.local ## what is deployed, and how it is: make deployment NAME=delayed-jobs
	@$(BIN)/python manage.py batchexec status $(if $(NAME),--name $(NAME))

destroy: $(VENV)/.local ## remove it from AWS, after asking; data stays: make destroy NAME=delayed-jobs
	@$(BIN)/python manage.py batchexec destroy $(if $(NAME),--name $(NAME))

pictures: $(VENV)/.dev ## write docs/pictures from the admin in a real browser
	SCREENSHOTS=docs/pictures TEST_DATABASE=sqlite $(BIN)/python -m pytest -q tests/e2e/test_pictures.py

# Two lanes run at a time, in several processes each, because the tests mostly wait. Every
# process has its own database. WORKERS=0 runs a lane in one process. djongo's has but one,
# so it runs beside the longest: what it needs is installed before. In a short run less is
# waited for.
WORKERS ?= $(if $(TEST_SHORT),3,4)
# A process that has nothing left takes over tests of another.
PYTEST = -m pytest --numprocesses $(WORKERS) --dist worksteal
LANES = $(MAKE) --no-print-directory --output-sync=target --jobs
# The tests start hundreds of processes, which would compile our modules each time.
unexport PYTHONDONTWRITEBYTECODE

test: $(VENV)/.dev ## lint, types, and the tests on MongoDB's protocol and on SQLite, shortened
	@TEST_SHORT=1 $(LANES) 3 lint test-sqlite test-mongodb

test-all: lint $(DJONGO_VENV)/.installed ## the same unabridged, the tests on PostgreSQL and djongo, and the wheel's
	@$(LANES) 2 test-mongodb test-djongo test-sqlite test-postgres test-package

test-mongodb: $(VENV)/.dev
	$(BIN)/python $(PYTEST)

test-sqlite: $(VENV)/.dev
	TEST_DATABASE=sqlite $(BIN)/python $(PYTEST)

test-postgres: $(VENV)/.dev ## the tests on PostgreSQL; install its server programs before
	TEST_DATABASE=postgres $(BIN)/python $(PYTEST)

test-djongo: $(VENV)/.local $(DJONGO_VENV)/.installed ## the tests that make sense on djongo, in djongo's own environment
	TEST_DATABASE=djongo LOCALMONGO_PYTHON=$(abspath $(BIN)/python) $(DJONGO_VENV)/bin/python -m pytest -c pytest-djongo.ini

test-package: $(VENV)/.dev ## the wheel, installed and used as docs/getting-started.md says
	TEST_DATABASE=sqlite $(BIN)/python $(PYTEST) tests/package

test-lanes: $(VENV)/.dev $(DJONGO_VENV)/.installed ## every Python and Django, an hour, into docs/versions.md: make test-lanes LANE="django61 and sqlite"
	WORKERS=$(WORKERS) $(BIN)/python -m nox $(if $(LANE),--keywords "$(LANE)")

wheel: $(VENV)/.dev ## the package, into dist/
	$(BIN)/python -m build --no-isolation --outdir dist

test-documentdb: $(VENV)/.dev ## the tests on DocumentDB, another MongoDB engine, with Django 5.2 and 6.1; as root, on Debian
	$(BIN)/python -m tests.documentdb.chroot
	TEST_DATABASE=documentdb $(BIN)/python $(PYTEST)
	@if $(DOCUMENTDB_PYTHON) -c '' 2>/dev/null; then $(MAKE) --no-print-directory test-documentdb-newest; \
	else echo "Not run with Django 6.1, because $(DOCUMENTDB_PYTHON) is missing: name a Python 3.12 or newer in DOCUMENTDB_PYTHON."; fi

test-documentdb-newest: $(DOCUMENTDB_VENV)/.installed
	TEST_DATABASE=documentdb $(DOCUMENTDB_VENV)/bin/python $(PYTEST)
# Seconds for each property, and rows on each database. A finding names its FUZZ_SEED.
FUZZ_SECONDS ?= 15
FUZZ_ROWS ?= 200
FUZZ = FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_ROWS=$(FUZZ_ROWS) FUZZ_SEED=$(FUZZ_SEED)

fuzz: $(VENV)/.dev ## handlers, requests and rows at random, five minutes: make fuzz FUZZ_SECONDS=600 FUZZ_ROWS=5000 FUZZ_SEED=7
	@$(LANES) 2 fuzz-sqlite fuzz-mongodb

fuzz-sqlite:
	$(FUZZ) TEST_DATABASE=sqlite $(BIN)/python -m pytest tests/fuzz -p no:logging

fuzz-mongodb:
	$(FUZZ) TEST_DATABASE=mongodb $(BIN)/python -m pytest tests/fuzz/test_rows.py tests/fuzz/test_batch.py -p no:logging

lint: $(VENV)/.dev ## ruff, mypy, and a check for missing migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	DATABASE_URL=sqlite:///$(CURDIR)/var/lint.sqlite3 $(BIN)/python manage.py makemigrations --check --dry-run

requirements: ## write requirements*.txt, with hashes, from requirements*.in; newer releases: make requirements UPGRADE=1
	@test -x $(VENV)-uv/bin/uv || { $(PYTHON) -m venv $(VENV)-uv && $(VENV)-uv/bin/python -m pip install --quiet --disable-pip-version-check $(UV); }
	UV=$(abspath $(VENV)-uv/bin/uv) scripts/requirements.sh $(if $(UPGRADE),--upgrade)

licences: $(VENV)/.dev $(DJONGO_VENV)/.installed $(VENV)-peer/.installed ## write docs/licences.md from what is installed
	$(BIN)/python scripts/licences.py --python $(DJONGO_VENV)/bin/python --python $(VENV)-peer/bin/python

clean: ## remove the virtual environments and all local data
	rm -rf $(VENV) $(VENV)-peer $(VENV)-uv $(DJONGO_VENV) $(DOCUMENTDB_VENV) .nox dist var .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, not %d.%d." % sys.version_info[:2] if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)

# Stamps, so that an environment is installed again only if its requirements change.
$(VENV)/.local: $(VENV)/bin/python requirements-local.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-local.txt
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.local

$(DJONGO_VENV)/.installed: requirements-djongo.txt
	$(DJONGO_PYTHON) -m venv $(DJONGO_VENV)
	$(DJONGO_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-djongo.txt
	@touch $@

$(DOCUMENTDB_VENV)/.installed: requirements.txt requirements-local.txt requirements-postgres.txt requirements-dev.txt requirements-documentdb.txt
	$(DOCUMENTDB_PYTHON) -m venv $(DOCUMENTDB_VENV)
	$(DOCUMENTDB_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(DOCUMENTDB_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-documentdb.txt
	@touch $@

$(VENV)-peer/.installed: bench/requirements-peer.txt
	$(PYTHON) -m venv $(VENV)-peer
	$(VENV)-peer/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements-peer.txt
	@touch $@
