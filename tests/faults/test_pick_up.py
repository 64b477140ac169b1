"""An idle worker starts a job at once, though it polls only now and then."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

import jobs
from tests.processes import lines, row, wait_for
from tests.samples import Append

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_job_is_picked_up_long_before_the_next_poll(start, tmp_path):
    log = tmp_path / "log"
    worker = start("jobworker", JOBS_SLEEP_DELAY="3600")
    first = jobs.enqueue(Append(str(log), "while it starts"))
    wait_for(lambda: row(first) is None)
    for number in range(3):
        wait_for(lambda: "1 job processed" in worker.output)
        job = jobs.enqueue(Append(str(log), str(number)))
        wait_for(lambda: row(job) is None)  # noqa: B023
    assert lines(log) == ["while it starts", "0", "1", "2"]


def test_a_job_that_another_worker_promotes_is_picked_up_too(start, tmp_path):
    log = tmp_path / "log"
    start("jobworker", "--queues", "there", JOBS_SLEEP_DELAY="3600")
    start("jobworker", "--queues", "elsewhere", JOBS_SLEEP_DELAY="0.2")
    job = jobs.enqueue(
        Append(str(log)), queue="there", run_at=timezone.now() + dt.timedelta(seconds=3)
    )
    wait_for(lambda: row(job) is None)
    assert lines(log) == ["performed"]
