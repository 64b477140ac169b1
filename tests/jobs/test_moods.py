"""A job leaves no mood behind: whatever it changes in its process is put back."""

from __future__ import annotations

import pytest

import jobs
from jobs.models import State
from tests.moods import (
    CHANGES,
    OF_MAIN_THREAD,
    REPLACED,
    UNSEEN,
    Change,
    CloseStreams,
    Replace,
    Tell,
    seen,
)
from tests.processes import row
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("fails_in", ["", "perform", "after"])
@pytest.mark.parametrize("what", CHANGES)
def test_the_process_is_as_it_was_before_the_job(what, fails_in):
    before = seen()
    job = jobs.enqueue(Change(what, fails_in))
    ended = jobs.Worker().work_off(1)
    assert seen() == before
    if what in UNSEEN:
        assert sum(ended) == 1
        return
    assert ended == ((0, 1) if fails_in else (1, 0))
    if fails_in:
        assert row(job).last_error.startswith("RuntimeError: the job's own error")


@pytest.mark.parametrize("what", sorted(CHANGES.keys() - OF_MAIN_THREAD - UNSEEN))
def test_the_next_job_in_a_thread_finds_none_of_it_either(calls, what):
    before = seen()
    for _ in range(2):
        jobs.enqueue_many([Change(what), Tell()])
        assert jobs.Worker(concurrency=2).work_off(2) == (2, 0)
    assert {name: seen()[name] for name in before} == before
    jobs.enqueue(Tell())
    assert jobs.Worker(concurrency=2).work_off(1) == (1, 0)
    assert {name: calls[-1][name] for name in before} == before


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("how", ["close", "detach", "descriptors", "reused", "query"])
def test_a_worker_whose_streams_a_job_closed_works_and_logs_on(start, how, fails):
    job, following = jobs.enqueue(CloseStreams(how, fails)), jobs.enqueue(Record())
    worker = start("jobworker", "--exit-on-complete", JOBS_LEASE="3600")
    assert worker.wait() == 0, worker.output
    assert row(following) is None
    assert worker.output.count("COMPLETED") == 2 - fails
    assert "Stopped" in worker.output
    if fails:
        assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
        assert "the job's own error" in worker.output
    else:
        assert row(job) is None


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_worker_outlives_jobs_that_replace_what_it_calls_of_the_standard_library(
    start, concurrency
):
    """A job that breaks its own process in the middle may fail by it. So may one that
    is loaded beside it in another thread, and no other.
    """
    replacing = [Replace(what, gone) for what in REPLACED for gone in (False, True)]
    enqueued = jobs.enqueue_many(replacing)
    following = jobs.enqueue_many([Record() for _ in range(5)])
    command = ("jobworker", "--exit-on-complete", "--concurrency", str(concurrency))
    worker = start(*command, JOBS_LEASE="3600")
    assert worker.wait() == 0, worker.output
    beside = concurrency - 1
    assert [row(job) for job in following[beside:]] == [None] * (5 - beside), worker.output
    left = [found for job in enqueued if (found := row(job)) is not None]
    unloaded = [job for job in left if (job.state, job.attempts) == (State.FAILED, 0)]
    assert len(unloaded) <= 2 * beside
    assert {(job.state, job.attempts) for job in left if job not in unloaded} <= {
        (State.SCHEDULED, 1)
    }
    assert len(left) < len(replacing) / 2
    assert worker.output.count("which is put back") > len(replacing) / 2
    assert "could not be performed" not in worker.output
