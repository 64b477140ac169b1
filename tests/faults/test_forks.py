"""Processes and threads that a job starts never go on as the worker."""

from __future__ import annotations

import signal

import pytest

import jobs
from jobs.models import Job
from tests.hostile import AsynchronousFork, Fork, ForksInAProperty, LeaveThread, Linger
from tests.processes import lines, row, wait_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

SAID = {
    "returns": [],
    "exits": ["status 7"],
    "raises": ["status 1"],
    "terminated": ["status -15"],
    "pool": ["sum 6"],
    "preexec": ["status 0"],
    "thread": ["status 0"],  # as Python has it: an exit ends the thread
    "executor": ["status 7", "status 1", "status 0"],
    "thread_pool": ["status 0"] * 3,
}
SAID_ASYNCHRONOUSLY = {
    "returns": ["status 0"],
    "exits": ["status 7"],
    "raises": ["status 1"],
    "awaits": ["status 1"],  # Python has no loop in the child
    "to_thread": ["status 7"],
    "to_sync": ["status 7"],
    "task": ["status 1"],
}


@pytest.mark.parametrize(
    ("payload", "how", "expected"),
    [
        *((Fork, how, said) for how, said in SAID.items()),
        *((AsynchronousFork, how, said) for how, said in SAID_ASYNCHRONOUSLY.items()),
    ],
)
def test_a_forked_child_records_nothing_and_reserves_nothing(
    start, tmp_path, payload, how, expected
):
    log = tmp_path / "log"
    job = jobs.enqueue(payload(how, str(log)))
    following = jobs.enqueue(Record(1))
    worker = start("jobworker", "--exit-on-complete")
    assert worker.wait() == 0, worker.output
    assert row(job) is None
    assert row(following) is None
    said = [line for line in lines(log) if not line.startswith("child")]
    performed = [line for line in said if line.startswith("performed")]
    assert performed[-1] == f"performed {worker.popen.pid}"
    assert [line for line in said if line not in performed] == expected
    assert worker.output.count("COMPLETED") == 2
    assert "FAILED" not in worker.output


def test_a_forked_child_has_a_connection_of_its_own(start, tmp_path):
    log = tmp_path / "log"
    job = jobs.enqueue(Fork("queries", str(log)))
    worker = start("jobworker", "--exit-on-complete")
    assert worker.wait() == 0, worker.output
    assert row(job) is None
    rows = [line for line in lines(log) if line.startswith("rows")]
    assert rows == ["rows 1", "rows 1"]


@pytest.mark.parametrize("command", ["runjob", "jobworker"])
def test_a_thread_that_a_job_left_does_not_keep_the_process_alive(start, tmp_path, command):
    log = tmp_path / "log"
    job = jobs.enqueue(LeaveThread(str(log)))
    arguments = [str(job.pk)] if command == "runjob" else ["--exit-on-complete"]
    process = start(command, *arguments)
    assert process.wait() == 0, process.output  # what was left takes an hour
    assert not Job.objects.exists()
    assert "left-behind" in process.output
    wait_for(lambda: lines(log) == ["performed"])


@pytest.mark.parametrize(
    ("how", "command", "said"),
    [
        ("process", "runjob", "aren't waited for: left-behind"),
        ("process", "jobworker", "aren't waited for: left-behind"),
        ("executor", "runjob", "aren't waited for: left-behind"),
        ("exit_handler", "runjob", "it is in _left_behind"),
        ("of_threading", "jobworker", "it is in _left_behind"),
    ],
)
def test_what_a_job_left_does_not_keep_the_process_alive(start, tmp_path, how, command, said):
    log = tmp_path / "log"
    job = jobs.enqueue(Linger(how, str(log)))
    arguments = [str(job.pk)] if command == "runjob" else ["--exit-on-complete"]
    process = start(command, *arguments)
    assert process.wait() == 0, process.output  # what was left takes an hour
    assert row(job) is None
    assert lines(log) == ["performed"]
    assert said in process.output


def test_an_exit_handler_that_is_stuck_in_c_code_does_not_keep_the_process_alive(start, tmp_path):
    job = jobs.enqueue(Linger("stuck_exit_handler", str(tmp_path / "log")))
    process = start("runjob", str(job.pk))
    assert process.wait() == -signal.SIGALRM, process.output
    assert row(job) is None


def test_a_fork_where_a_hook_is_looked_up_is_kept_out_as_well(start, tmp_path):
    job, following = jobs.enqueue(ForksInAProperty()), jobs.enqueue(Record(1))
    worker = start("jobworker", "--exit-on-complete")
    assert worker.wait() == 0, worker.output
    assert row(job) is None
    assert row(following) is None
    assert worker.output.count("COMPLETED") == 2
    assert "dropped" not in worker.output
