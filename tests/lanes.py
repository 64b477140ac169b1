"""Which tests run on which database, so that all of them together take minutes.

`make test-all` runs each test on every database where it can make a difference, and
the others once. `make test` sees each guarantee once: what conformance tests prove of
a database isn't proved again by what builds on it, and costly cases of one guarantee
aren't all tried. Processes and servers are what costs most, so the hand-over is in the
lane of SQLite, the cheapest database. Both lanes of a short run take equally long.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.repetitions import REPETITIONS

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
    #: The tests and cases that MongoDB's lane of a short run has, or after `not` those
    #: that it hasn't; SQLite's has all.
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
    # Only there does somebody keep others from reading a table.
    Rule("jobs/test_locked_tables.py", all="postgres", short=""),
    # These take long, and lint or a test nearby shows the most of it.
    Rule(
        "batchexec/test_doctor_canary.py batchexec/test_job_logs.py batchexec/test_late_words.py "
        "batchexec/test_slow_objects.py",
        all="mongodb sqlite documentdb",
        short="",
    ),
    Rule(
        "e2e/test_overview.py e2e/test_pictures.py project/test_types.py project/test_hanging.py",
        all="mongodb",
        short="",
    ),
    # A first deployment is in a short run; what else deployments do takes long.
    Rule(
        "batchexec/test_deploy_again.py batchexec/test_deploy_allowed.py "
        "batchexec/test_deploy_destroy.py "
        "batchexec/test_deploy_failing.py batchexec/test_deploy_order.py "
        "batchexec/test_deploy_unreadable.py batchexec/test_deploy_values.py",
        all="mongodb",
        short="",
    ),
    # These know no database. MongoDB's lane of a short run has the time for them.
    Rule(
        "project protocol batchexec/test_failures.py batchexec/test_resources.py "
        "batchexec/test_deploy*.py "
        "jobs/test_bases.py jobs/test_payloads.py jobs/test_settings.py",
        all="mongodb",
        short="mongodb",
    ),
    Rule("fuzz/test_api.py", all="mongodb sqlite postgres documentdb", short=""),
    Rule("fuzz/test_loading.py", all="mongodb sqlite postgres documentdb", short="sqlite"),
    # Of the database, the hand-over needs the conditional writes of test_markers.py.
    Rule("batchexec/test_windows.py", all="mongodb", short="sqlite"),
    Rule(
        "batchexec/test_reconcile.py",
        all="mongodb sqlite documentdb",
        short="mongodb sqlite",
        some="test_a_job_in_batch_is_listed",
    ),
    Rule("batchexec/test_markers.py", all="mongodb sqlite documentdb", short="mongodb sqlite"),
    Rule("batchexec", all="mongodb sqlite documentdb", short="sqlite"),
    # Only SQLite is one file, and this keeps many processes busy with it.
    Rule("faults/test_one_file.py", all="sqlite", short=""),
    # So many jobs take the stand-in for MongoDB minutes.
    Rule("e2e/test_many.py", all="sqlite postgres", short=""),
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
        "jobs/test_log_fields.py jobs/test_logs.py jobs/test_output.py "
        "jobs/test_testing.py "
        "jobs/test_tracing.py tasks/test_cancelling.py tasks/test_fetching.py "
        "tasks/test_forged.py "
        "tasks/test_testing.py tasks/test_values.py tasks/test_ways.py tasks/test_workers.py",
        all="mongodb sqlite postgres documentdb",
        short="sqlite",
    ),
    # MongoDB has no such transactions.
    Rule(
        "jobs/test_commits.py jobs/test_several_databases.py", all="sqlite postgres", short="sqlite"
    ),
    # A project of its own, on a database of its own; and tasks that aren't enqueued.
    Rule("jobs/test_guides.py tasks/test_declaring.py", all="sqlite", short="sqlite"),
    # DocumentDB has no change streams.
    Rule("faults/test_pick_up.py", all="mongodb sqlite postgres", short="mongodb sqlite"),
    # PostgreSQL gets the statements that SQLite gets.
    Rule("model", all="mongodb sqlite documentdb", short="mongodb sqlite"),
    Rule(
        "jobs/test_jobs_command.py",
        all="mongodb sqlite documentdb",
        short="mongodb sqlite",
        some="test_list_shows test_retry test_cancel test_unlock test_prune test_stats test_check",
    ),
    # What `runjob` is told, and what it says, is the same on each.
    Rule(
        "jobs/test_runjob.py",
        all="mongodb sqlite postgres documentdb",
        short="mongodb sqlite",
        some="test_a_container_performs",
    ),
    # Conformance tests prove of each database what these build on.
    Rule(
        "faults/test_workers.py jobs/test_activity.py jobs/test_admin_actions.py "
        "jobs/test_admin_pauses.py jobs/test_error_groups.py jobs/test_importing.py "
        "jobs/test_interfaces.py jobs/test_jobs_filters.py jobs/test_overview.py "
        "jobs/test_parity.py jobs/test_pausing.py jobs/test_progress.py "
        "tasks/test_batch.py tasks/test_deaths.py tasks/test_enqueueing.py "
        "tasks/test_performing.py tasks/test_waiting.py",
        all="mongodb sqlite postgres documentdb",
        short="mongodb",
    ),
    Rule(
        "jobs/test_admin.py",
        all="mongodb sqlite postgres documentdb",
        short="mongodb sqlite",
        some="test_jobs_are_listed test_the_list test_only test_an_id test_other_conditions",
    ),
    Rule(
        "conformance/test_bulk.py",
        all="mongodb sqlite postgres documentdb",
        short="mongodb sqlite",
        some="not test_thousands_are_changed",
    ),
    Rule(".", all="mongodb sqlite postgres documentdb", short="mongodb sqlite"),
)

#: These take longest. They are begun first, so that no process ends with one of them
#: while the others have nothing left to do.
LONGEST = (
    "model e2e/test_demo.py project/test_schema.py project/test_slow_clients.py "
    "faults/test_time_limits.py faults/test_database.py faults/test_workers.py "
    "batchexec/test_kills.py"
)


# What is asked of a path is asked for many tests of one file.
@cache
def is_long(path: Path) -> bool:
    return _is_of(path, LONGEST)


@cache
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


def is_left_to_others(path: Path, name: str) -> bool:
    """Whether the lane runs the file `path`, but not this test of it."""
    if not SHORT:
        return False
    name = name.replace(" ", "_")
    file = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
    if any(part in name for part in REPETITIONS.get(file, "").split()):
        return True
    some = rule_of(path).some.split() if lane() == "mongodb" else []
    if some[:1] == ["not"]:
        return any(part in name for part in some[1:])
    return bool(some) and not any(part in name for part in some)


def lane() -> str:
    return os.environ.get("TEST_DATABASE") or "mongodb"
