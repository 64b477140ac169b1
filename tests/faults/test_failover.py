"""A primary that steps down, as the driver sees it: each kind of write of a job's life
fails, once or several times.

Once is the driver's to make good: it sends the same write again, which the server
knows. What it can't is the queue's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections
from pymongo import monitoring

import jobs
from jobs import store as stores
from jobs.models import Job, State
from tests.processes import lines, wait_for
from tests.samples import Append, Fail, Record, Wait

pytestmark = pytest.mark.skipif(
    connection.vendor != "mongodb", reason="only MongoDB has a primary that steps down"
)

NOT_WRITABLE_PRIMARY = 10107


@pytest.fixture(autouse=True)
def _reachable_so_far() -> Iterator[None]:
    """A worker reaps nothing right after the database couldn't be reached, as in an
    earlier test it couldn't.
    """
    stores._stores.clear()
    yield
    stores._stores.clear()


def admin(*command: Any, **arguments: Any) -> None:
    connections["own"].connection.admin.command(*command, **arguments)


class Failures(monitoring.CommandListener):
    """Counts the commands of a name that failed, or whose write concern wasn't met."""

    def __init__(self, command: str):
        self._command = command
        self.count = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None: ...

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self.count += event.command_name == self._command and "writeConcernError" in event.reply

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self.count += event.command_name == self._command


@contextmanager
def failing(command: str, times: int, **how: Any) -> Iterator[None]:
    """The next ones of that command fail; as many must have, in the end."""
    failures = Failures(command)
    connections["own"].close_pool()
    connections["own"].settings_dict.setdefault("OPTIONS", {})["event_listeners"] = [failures]
    Job.objects.exists()  # connects
    admin(
        "configureFailPoint",
        "failCommand",
        mode={"times": times},
        data={"failCommands": [command], **how},
    )
    try:
        yield
    finally:
        admin("configureFailPoint", "failCommand", mode="off")
    assert failures.count == times


#: After the driver's second try, the reaper doesn't ask a third time for a while.
TIMES = [
    *((command, times) for command in ("findAndModify", "update", "delete") for times in (1, 4)),
    ("find", 1),
    ("find", 2),
]


@pytest.mark.parametrize(
    "how",
    [{"errorCode": NOT_WRITABLE_PRIMARY}, {"closeConnection": True}],
    ids=lambda how: next(iter(how)),
)
@pytest.mark.parametrize(("command", "times"), TIMES)
def test_a_write_that_fails_is_made_good_and_nothing_happens_twice(own, calls, command, how, times):
    jobs.enqueue_many([Record(number) for number in range(3)])
    jobs.enqueue(Fail(), priority=1)
    with failing(command, times, **how):
        assert jobs.Worker().work_off() == (3, 1)
    assert calls == [0, 1, 2]
    job = Job.objects.get()
    assert (job.state, job.attempts, job.epoch, job.locked_by) == (State.SCHEDULED, 1, 1, "")


@pytest.mark.parametrize(
    "how",
    [{"errorCode": NOT_WRITABLE_PRIMARY}, {"closeConnection": True}],
    ids=lambda how: next(iter(how)),
)
def test_enqueueing_once_through_a_failure_makes_one_job(own, how):
    with failing("insert", 1, **how):
        jobs.enqueue(Record())
        jobs.enqueue_many([Record(), Record()])
    assert Job.objects.count() == 3


def test_a_write_concern_that_was_not_met_is_no_second_write(own, calls):
    jobs.enqueue(Fail())
    concern = {"code": 11602, "errmsg": "the primary stepped down before a majority had the write"}
    with failing("update", 1, writeConcernError=concern):
        assert jobs.Worker().work_off() == (0, 1)
    job = Job.objects.get()
    assert (job.attempts, job.epoch) == (1, 1)


def test_workers_go_on_after_a_step_down(own, start_on, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    workers = [start_on("jobworker") for _ in range(2)]
    jobs.enqueue_many([Append(str(log), "before") for _ in range(10)])
    # In hand when it steps down, so that their outcomes are written then.
    jobs.enqueue_many([Wait(str(log), str(go), str(number)) for number in range(2)])
    jobs.enqueue_many([Append(str(log), "after") for _ in range(90)])
    wait_for(lambda: len(lines(log)) == 12, what="each worker has one in hand")
    admin("replSetStepDown", 2, force=True)
    stepped_down = time.monotonic()
    go.touch()
    wait_for(lambda: not Job.objects.exists())
    assert time.monotonic() > stepped_down + 1
    kinds = Counter(line.split()[0] for line in lines(log))
    assert kinds == {"before": 10, "began": 2, "ended": 2, "after": 90}
    for worker in workers:
        assert worker.popen.poll() is None
        assert "Traceback" not in worker.output
