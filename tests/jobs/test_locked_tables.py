"""A table or a row that somebody has locked holds up only what is kept for people.

A worker, a container and the keeper wait for it two seconds at most.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

import jobs
from batchexec.models import BatchExecutionRecord, BatchJob
from batchexec.process import traces
from jobs.execution.journal import AtOnce
from jobs.models import Activity, FailedAttempt, Job, State
from jobs.process.forgetting import Forgetting
from jobs.store import limits, store_for
from tests.processes import locked, row
from tests.samples import Record, calls

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="a lock that others wait for"),
]


@contextmanager
def locked_for_the_impatient(how: str) -> Iterator[None]:
    with locked(how), pytest.MonkeyPatch.context() as patched:
        patched.setattr(limits, "PATIENCE", 0.2)
        yield


def kept() -> Job:
    """A job that was kept after its success, and has been for long enough."""
    job = jobs.enqueue(Record("kept"))
    assert jobs.Worker().work_off() == (1, 0)
    long_ago = store_for(Job).now() - dt.timedelta(hours=2)
    Job.objects.filter(pk=job.pk).update(finished_at=long_ago, attempts=1)
    FailedAttempt.objects.create(
        key="a",
        job_model=Job._meta.label,
        job_id=str(job.pk),
        epoch=0,
        number=1,
        failed_at=long_ago,
    )
    calls.clear()
    return job


@pytest.mark.parametrize(
    "lock",
    [
        "LOCK TABLE jobs_failedattempt",
        "LOCK TABLE jobs_progress",
        "SELECT * FROM jobs_job FOR UPDATE",
    ],
)
def test_a_worker_goes_on_while_what_it_would_forget_is_locked(lock, settings, caplog):
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": 3600}
    job = kept()
    worker = jobs.Worker()
    with locked_for_the_impatient(lock):
        jobs.enqueue(Record("next"))
        assert worker.work_off() == (1, 0)
    assert "Jobs that were kept after their success can't be deleted" in caplog.text
    assert calls == ["next"]
    assert row(job).state == State.SUCCEEDED
    assert FailedAttempt.objects.exists()
    assert store_for(Job).seconds_reachable() > 0.2
    [forgetting] = [chore for chore in worker._reaper._chores if isinstance(chore, Forgetting)]
    forgetting._next = 0.0
    worker.work_off()
    assert row(job) is None
    assert not FailedAttempt.objects.exists()


def test_who_records_an_outcome_goes_on_while_the_tables_for_people_are_locked(caplog):
    job = jobs.enqueue(Record())
    journal = AtOnce()
    with locked_for_the_impatient("LOCK TABLE jobs_activity"):
        journal.succeeded(job, 1.0)
    assert caplog.text.count("can't be recorded for the person on call") == 1
    assert not Activity.objects.exists()
    journal.write()  # it is noted still
    assert Activity.objects.get().performed == 1


def test_neither_writing_nor_forgetting_traces_waits_for_their_locked_table():
    store = store_for(BatchExecutionRecord)
    trace = traces.Trace(BatchJob(job_id="1", epoch=0, job_name="n"), "name", "succeeded")
    with locked_for_the_impatient("LOCK TABLE batchexec_batchexecutionrecord"):
        with pytest.raises(traces.Unavailable):
            traces.write([trace])
        with pytest.raises(Exception, match="lock timeout") as raised:
            traces.forget_old()
    assert store.is_unavailable(raised.value)
