"""Which tests run on which database, so that all of them together take minutes.

`make test-all` runs each test on every database where it can make a difference, and
the others once. `make test` sees each guarantee once: what conformance tests prove of
a database isn't proved again by what builds on it, and costly cases of one guarantee
aren't all tried. So most tests of a short run are in the lane of SQLite, the cheapest
database. Both lanes then take equally long.
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
    Rule("batchexec/test_slow_objects.py", all="mongodb sqlite documentdb", short=""),
    Rule(
        "e2e/test_pictures.py project/test_types.py project/test_hanging.py",
        all="mongodb",
        short="",
    ),
    # A first deployment is in a short run; what else deployments do takes long.
    Rule(
        "batchexec/test_deploy_again.py batchexec/test_deploy_failing.py "
        "batchexec/test_deploy_values.py",
        all="mongodb",
        short="",
    ),
    # These know no database. MongoDB's lane of a short run has the time for them.
    Rule(
        "project protocol batchexec/test_failures.py batchexec/test_resources.py "
        "batchexec/test_deploy*.py "
        "jobs/test_payloads.py jobs/test_settings.py",
        all="mongodb",
        short="mongodb",
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
        "batchexec/test_reconcile.py",
        all="mongodb sqlite documentdb",
        short="mongodb sqlite",
        some="test_a_registered_runner_without_a_marker test_a_job_in_batch_is_listed test_15",
    ),
    Rule(
        "batchexec/test_markers.py batchexec/test_settling.py",
        all="mongodb sqlite documentdb",
        short="mongodb sqlite",
    ),
    Rule("batchexec", all="mongodb sqlite documentdb", short="sqlite"),
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
        "jobs/test_tracing.py tasks/test_batch.py tasks/test_cancelling.py "
        "tasks/test_deaths.py tasks/test_fetching.py tasks/test_forged.py "
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
        some="test_performs test_a_container_performs",
    ),
    Rule(
        "jobs/test_activity.py",
        all="mongodb sqlite postgres documentdb",
        short="mongodb sqlite",
        some="not test_what_a_job_makes_of_itself",
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

#: Files, and their tests and cases that a short run leaves to `make test-all`: the
#: repetitions that cost most, where the others of the file show the same.
REPETITIONS = {
    "batchexec/test_answers.py": "404-Describe 408-Describe",
    "batchexec/test_catalogue.py": "test_twenty_jobs",
    "batchexec/test_credentials.py": "[a_role's_token [a_login [a_profile [half_a_key",
    "batchexec/test_denials.py": "[own_requests_only]",
    "batchexec/test_job_logs.py": "test_a_worker_that_is_told_to_stop",
    "batchexec/test_kills.py": "given_back[after] at_most[before-1] at_that[after]",
    "batchexec/test_late_words.py": "test_an_attempt_that_somebody test_a_silent_runner "
    "test_the_next_attempt_is_put_off_for_a_while test_a_worker_that_stops Fail-outcome1 [5.0]",
    "batchexec/test_placement.py": "a_pod[container1] properties[containers1] "
    "limit[asked2 too[defined1 too[defined2",
    "batchexec/test_reconcile.py": "test_a_batch_job_that_is_over_is_no_stranger",
    "batchexec/test_refusals.py": "[own1-statement1 [own2-statement2 "
    "test_without_any_right test_a_queue_that_is_disabled_behind",
    "batchexec/test_deploy_destroy.py": "test_destroy_asks",
    "batchexec/test_deploy_unreadable.py": "-sts] -json]",
    "batchexec/test_doctor_canary.py": "takes_its_canary_along[INT] test_a_canary_that_does_not "
    "flies_once_more "
    "test_a_container_that_knows_no",
    "batchexec/test_doctor.py": "test_a_fault_is_exit "
    "[without_environments] [with_a_wrong_setting] [without_image] [without_definition] "
    "[with_another_database] [without_execution_role] [with_garbage_for_a_lease]",
    "batchexec/test_elsewhere.py": "test_a_job_that_was_to_be_deleted test_a_batch_job_is_left",
    "batchexec/test_handover.py": "batch_job[1] test_a_submission_that_never_arrived",
    "batchexec/test_preflight.py": "is_logged[options1 install[arguments1] start_with_it[options0",
    "batchexec/test_traces.py": "test_a_worker_that_stops_writes_the_traces",
    "batchexec/test_windows.py": "[before-record_submission] [after-hand_over] [before-clear] "
    "[before-record_status] [after-clear] [before-classify] [after-reschedule] "
    "[after-record_status] [after-record_submission] attempt[before-clear] test_a_spot "
    "test_17_expired",
    "conformance/test_many.py": "test_memory_is_flat test_no_more_than_a_batch",
    "e2e/test_browser.py": "test_an_operator_deletes test_every_page test_an_operator_goes "
    "test_an_operator_finds test_errors_that_are_alike",
    "e2e/test_demo.py": "when_it_is_interrupted",
    "e2e/test_overview.py": "test_it_works_without test_it_refreshes test_it_does_not test_hostile",
    "examples/test_examples.py": "test_films_are_rendered_on_aws_batch",
    "faults/test_apart.py": "ended_once_and_no_other_follows_it[max_attempts] not_held[import]",
    "faults/test_forks.py": "[Fork-exits [Fork-terminated [Fork-executor [Fork-thread_pool "
    "[AsynchronousFork-awaits [AsynchronousFork-task [AsynchronousFork-to_sync",
    "jobs/test_several_databases.py": "test_in_a_test_case test_nothing_of_the_queue",
    "jobs/test_moods.py": "[query [detach [reused-True] [descriptors-True]",
    "jobs/test_jobs_terminal.py": "[extra1 [extra2 [extra3 [extra4 [extra5 whole[40] whole[80]",
    "tasks/test_deaths.py": "test_a_task_that_nothing_interrupts",
    "project/test_hostile_requests.py": "server_error[/metrics] server_error[/admin/login/]",
    "project/test_nonsense.py": "named[localbatch] named[batchjobs at_once[batchjobs",
    "project/test_settings.py": "[changes1 [changes2 [changes3",
}

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
