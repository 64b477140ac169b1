"""A worker is killed on its way from one job to the next, which is one step."""

from __future__ import annotations

import signal

import pytest
from django.db import connection

import jobs
from jobs.models import Job, State
from tests.crash import died_at
from tests.processes import LEASE, expire_leases, lines, row, wait_for
from tests.samples import AppendInAnHour

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor in ("mongodb", "djongo"), reason="two commands, each by itself"
    ),
]

PLUGINS = "jobs.plugins.ClearLocks,tests.crash.Crash"
#: Where the first job is ended, and the second reserved.
DONE = ["after:end_and_claim"]
#: Where neither is.
UNDONE = ["before:end_and_claim"]
if connection.vendor == "sqlite":
    UNDONE.append("before:COMMIT")


@pytest.mark.parametrize("point", [*UNDONE, *DONE])
def test_a_worker_that_is_killed_between_two_jobs_has_done_both_or_neither(start, tmp_path, point):
    log = tmp_path / "log"
    names = ("first", "second", "third")
    first, second, third = jobs.enqueue_many([AppendInAnHour(str(log), name) for name in names])
    victim = start("jobworker", "--name", "victim", JOBS_PLUGINS=PLUGINS, CRASH_AT=point)
    assert victim.wait() == -signal.SIGKILL
    assert died_at(point) in victim.output
    assert lines(log) == ["first"]
    held = second if point in DONE else first
    assert (row(held).state, row(held).runner) == (State.RUNNING, "victim@0")
    assert row(third).state == State.READY
    assert (row(first) is None) is (point in DONE)
    assert row(second).state == (State.RUNNING if point in DONE else State.READY)
    expire_leases()
    start("jobworker", JOBS_LEASE=str(LEASE))
    wait_for(lambda: row(held).attempts == 1, what="the dead worker's attempt was counted")
    assert (row(held).state, row(held).epoch) == (State.SCHEDULED, 1)
    Job.objects.filter(pk=held.pk).update(state=State.READY)
    wait_for(lambda: not Job.objects.exists(), what="its heir performed all of them")
    performed = lines(log)[1:]
    assert sorted(performed) == sorted(names if point in UNDONE else names[1:])
