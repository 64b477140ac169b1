"""Workers that are killed after a job's outcome is recorded and before AWS Batch, which
is late, has said how that came about.
"""

from __future__ import annotations

import datetime as dt
import signal

import pytest
from django.core.management import call_command
from django.utils import timezone

import jobs
from batchexec.models import BatchHistory, BatchJob
from jobs.models import Job, State
from tests.batchexec.places import notice_now
from tests.batchexec.test_late_words import LAG, recorded, told_to_end
from tests.batchexec.test_windows import PLUGINS, accepted
from tests.crash import died_at
from tests.processes import expire_leases, lines, row, wait_for
from tests.samples import Wait

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def batch(batch_with):
    return batch_with(lag=LAG)


def dies(victim, point: str) -> None:
    assert victim.wait() == -signal.SIGKILL
    assert died_at(point) in victim.output
    expire_leases()


def crashing(start, point: str, **extra: str):
    return start("jobworker", "--batch", JOBS_PLUGINS=PLUGINS, CRASH_AT=point, **extra)


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_worker_that_is_killed_while_it_puts_a_job_off_is_replaced_and_the_attempt_given_back(
    batch, start, working, tmp_path, place
):
    point = f"{place}:put_off"
    job = told_to_end(batch, start, tmp_path)
    Job.objects.update(state=State.READY)
    dies(crashing(start, point), point)
    notice_now(batch)
    assert (row(job).attempts, BatchJob.objects.get().epoch) == (1, 0)
    (tmp_path / "go").touch()
    working()
    wait_for(
        lambda: row(job) is None and not BatchJob.objects.exists(),
        what="the heir brought it to its end",
    )
    assert [line.split()[0] for line in lines(tmp_path / "log")] == ["began", "began", "ended"]
    assert BatchHistory.objects.get().infrastructure_failures == 1
    assert len(accepted(batch)) == 2


@pytest.mark.parametrize(("place", "attempts"), [("before", 1), ("after", 0)])
def test_a_worker_that_is_killed_while_it_gives_an_attempt_back_gives_it_back_once_at_most(
    batch, start, working, tmp_path, place, attempts
):
    point = f"{place}:refund"
    job = told_to_end(batch, start, tmp_path)
    notice_now(batch)
    Job.objects.update(state=State.READY)
    dies(crashing(start, point), point)
    assert row(job).attempts == attempts
    (tmp_path / "go").touch()
    working()
    wait_for(lambda: row(job) is None and not BatchJob.objects.exists(), what="it was performed")
    assert [line.split()[0] for line in lines(tmp_path / "log")] == ["began", "began", "ended"]


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_batch_job_of_a_deleted_row_is_terminated_though_the_worker_dies_at_that(
    batch, start, working, client_of, tmp_path, place
):
    point = f"{place}:terminate"
    log = tmp_path / "log"
    jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    victim = crashing(start, point)
    wait_for(lambda: lines(log) and recorded(), what="the container began")
    call_command("jobs", "clear", "--state", "running", "--yes")
    dies(victim, point)
    assert BatchJob.objects.get().state == BatchJob.State.UNWANTED
    long_ago = timezone.now() - dt.timedelta(hours=1)
    BatchJob.objects.update(updated_at=long_ago)  # nobody watches it
    working()
    wait_for(lambda: not BatchJob.objects.exists(), what="the heir's sweep cleared the marker")
    (submitted,) = accepted(batch)
    (detail,) = client_of(batch).describe_jobs(jobs=[submitted["jobId"]])["jobs"]
    assert (detail["status"], len(lines(log))) == ("FAILED", 1)
