"""Which tests run on which database, so that all of them together take minutes.

`make test-all` runs each test on every database where it can make a difference, and
the others once. `make test` sees each guarantee once: what conformance tests prove of
a database isn't proved again by what builds on it. So most tests of a short run are in
the lane of SQLite, the cheapest database. Both lanes then take equally long.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent

#: `make test` sets TEST_SHORT. Without it everything runs.
SHORT = bool(os.environ.get("TEST_SHORT"))

#: In no lane, unless the command names it, as `make test-package` does.
BY_NAME = ROOT / "package"


class Rule(NamedTuple):
    """Where some tests run: in which lanes of all, and in which of a short run.

    A lane is what TEST_DATABASE names.
    """

    #: Files and folders in this one. A `*` stands for any part of a file's name.
    tests: str
    all: str
    short: str
    #: The tests and cases that MongoDB's lane of a short run has; SQLite's has all.
    some: str = ""

    def names(self, path: Path) -> bool:
        return _is_of(path, self.tests)


def _is_of(path: Path, tests: str) -> bool:
    return any(
        path.is_relative_to(ROOT / part) or path.match(f"tests/{part}") for part in tests.split()
    )


#: The first rule that names a file counts, and the last one names all.
RULES = (
    # The other engine for MongoDB's protocol, and its gateway.
    Rule("documentdb", all="documentdb", short=""),
    # The same checks again, over what nobody would write.
    Rule("batchexec/test_doctor_garbage.py", all="sqlite", short=""),
    # The stand-in for AWS Batch knows no database, and few changes touch it.
    Rule("batchexec/test_local_*.py", all="mongodb", short=""),
    # These know no database.
    Rule(
        "project protocol batchexec/test_failures.py batchexec/test_resources.py "
        "jobs/test_payloads.py jobs/test_settings.py",
        all="mongodb",
        short="sqlite",
    ),
    Rule(
        "fuzz/test_api.py fuzz/test_loading.py",
        all="mongodb sqlite postgres documentdb",
        short="sqlite",
    ),
    # Of the database, the hand-over needs the conditional writes of the rule below.
    Rule(
        "batchexec/test_windows.py",
        all="mongodb",
        short="mongodb sqlite",
        some="[before-submit] [after-commit_intent]",
    ),
    Rule(
        "batchexec/test_markers.py batchexec/test_reconcile.py batchexec/test_settling.py",
        all="mongodb sqlite documentdb",
        short="mongodb sqlite",
    ),
    Rule("batchexec", all="mongodb sqlite documentdb", short="sqlite"),
    # The sample application is one on MongoDB, and so is the demo.
    Rule("e2e", all="mongodb", short="mongodb"),
    Rule("posts comments", all="mongodb sqlite documentdb", short="mongodb"),
    # What a process does about its children, its time, its start, and what jobs leave.
    Rule(
        "faults/test_apart.py faults/test_forks.py faults/test_keeper.py "
        "faults/test_supervisor.py faults/test_time_limits.py jobs/test_asynchronous.py "
        "jobs/test_moods.py jobs/test_startup.py examples",
        all="mongodb sqlite postgres documentdb",
        short="sqlite",
    ),
    # What is declared, logged or shown, whatever the database.
    Rule(
        "jobs/test_as_meant.py jobs/test_databases.py jobs/test_declared.py "
        "jobs/test_delayed.py jobs/test_error_reports.py jobs/test_folders.py "
        "jobs/test_jobs_terminal.py jobs/test_lifecycle.py jobs/test_liveness.py "
        "jobs/test_log_fields.py jobs/test_logs.py jobs/test_testing.py "
        "jobs/test_tracing.py tasks/test_batch.py tasks/test_testing.py "
        "tasks/test_values.py",
        all="mongodb sqlite postgres documentdb",
        short="sqlite",
    ),
    # DocumentDB has no change streams.
    Rule("faults/test_pick_up.py", all="mongodb sqlite postgres", short="mongodb sqlite"),
    # PostgreSQL gets the statements that SQLite gets.
    Rule(
        "model jobs/test_jobs_command.py", all="mongodb sqlite documentdb", short="mongodb sqlite"
    ),
    # What `runjob` is told, and what it says, is the same on each.
    Rule(
        "jobs/test_runjob.py",
        all="mongodb sqlite postgres documentdb",
        short="mongodb sqlite",
        some="test_performs test_a_container_performs",
    ),
    Rule(".", all="mongodb sqlite postgres documentdb", short="mongodb sqlite"),
)

#: These take longest. They are begun first, so that no process ends with one of them
#: while the others have nothing left to do.
LONGEST = (
    "model e2e/test_demo.py project/test_schema.py project/test_slow_clients.py "
    "faults/test_time_limits.py faults/test_database.py"
)


@cache  # of many tests of one file
def is_long(path: Path) -> bool:
    return _is_of(path, LONGEST)


def rule_of(path: Path) -> Rule:
    return next(rule for rule in RULES if rule.names(path))


def lanes_of(path: Path, *, short: bool) -> list[str]:
    """The lanes that run the tests in this file."""
    rule = rule_of(path)
    return (rule.short if short else rule.all).split()


def is_left_out(path: Path, named: Iterable[Path] = ()) -> bool:
    """Whether the lane that TEST_DATABASE names leaves the file `path` to others.

    `named` are the paths that pytest's command names. A file that it names is never
    left out, because pytest doesn't ask.
    """
    if path.is_relative_to(BY_NAME):
        return not any(one.is_relative_to(BY_NAME) for one in named)
    if lane() == "djongo" or path.is_dir():  # pytest-djongo.ini names djongo's tests
        return False
    return lane() not in lanes_of(path, short=SHORT)


def is_left_to_sqlite(path: Path, name: str) -> bool:
    """Whether the lane runs the file `path`, but not this test of it."""
    some = rule_of(path).some.split() if SHORT and lane() == "mongodb" else []
    return bool(some) and not any(part in name for part in some)


def lane() -> str:
    return os.environ.get("TEST_DATABASE") or "mongodb"
