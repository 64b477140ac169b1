"""Attempts that aren't counted, because AWS took the machine away."""

from __future__ import annotations

import pytest

import jobs
from batchexec.aws.failures import classify
from batchexec.handover import retries
from batchexec.models import BatchHistory
from batchexec.resources import Resources
from jobs.models import Job, State
from tests.processes import row
from tests.samples import Record, Wait

pytestmark = pytest.mark.django_db(transaction=True)


def failure(status_reason: str, exit_code: int | None = None):
    container = {} if exit_code is None else {"exitCode": exit_code}
    return classify(
        {"jobId": "b-1", "status": "FAILED", "statusReason": status_reason, "container": container}
    )


HOST_LOST = failure("Host EC2 (instance i-1) terminated.")


def granted(job, *, limit: int | None = None, why=HOST_LOST) -> bool:
    return retries.grants_free_retry(job, why, Resources(infrastructure_retries=limit))


def test_free_retries_are_granted_up_to_the_limit_of_the_job_or_else_of_the_settings(settings):
    settings.BATCHEXEC = {"INFRASTRUCTURE_RETRIES": 2}
    own, usual = jobs.enqueue(Record()), jobs.enqueue(Record())
    assert [granted(usual) for _ in range(4)] == [True, True, False, False]
    assert [granted(own, limit=1) for _ in range(3)] == [True, False, False]
    assert not granted(jobs.enqueue(Record()), limit=0)
    assert sorted(history.infrastructure_failures for history in BatchHistory.objects.all()) == [
        1,
        2,
    ]


def test_what_is_the_jobs_own_fault_is_counted():
    job = jobs.enqueue(Record())
    for why in (
        failure("Essential container in task exited", 1),
        failure("Job attempt duration exceeded timeout", 137),
    ):
        assert not granted(job, limit=5, why=why)
    assert not BatchHistory.objects.exists()


def test_two_that_come_to_the_last_free_retry_at_once_get_one(monkeypatch):
    job = jobs.enqueue(Record())
    assert granted(job, limit=9)
    seen = retries.find(job)
    monkeypatch.setattr(retries, "find", lambda job: seen)
    assert [granted(job, limit=2), granted(job, limit=2)] == [True, False]
    assert BatchHistory.objects.get().infrastructure_failures == 2


def test_an_attempt_that_is_not_counted_is_not_the_last_one(
    batch, worker, settings, monkeypatch, tmp_path
):
    monkeypatch.setenv("JOBS_MAX_ATTEMPTS", "1")
    settings.JOBS = {**settings.JOBS, "MAX_ATTEMPTS": 1}
    settings.BATCHEXEC = {**settings.BATCHEXEC, "INFRASTRUCTURE_RETRIES": 1}
    batch.set_faults(["Container:kill"])
    job = jobs.enqueue(Wait(str(tmp_path / "log"), str(tmp_path / "never")))
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 0, 1)
    Job.objects.update(state=State.READY)
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.FAILED, 1, 2)
