"""A write is carried out, and its answer lost: the next try must not take it for
somebody else's. What is written together with the next claim is in test_onward.py.
"""

from __future__ import annotations

import pytest
from django.db import OperationalError

import jobs
from jobs import store as stores
from jobs import transitions
from jobs.models import Job, State
from jobs.process.claims import Claims
from jobs.runjob import run_by_hand, run_registered
from jobs.store import store_for
from tests.samples import Fail, Record

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def reachable_afterwards(monkeypatch):
    """For the tests that follow: nothing is reaped right after a connection broke."""
    monkeypatch.setattr(store_for(Job), "_reached_at", float("-inf"))


@pytest.fixture(autouse=True)
def forgotten():
    """Right after the database couldn't be reached a store's worker reaps nothing,
    which the next tests expect.
    """
    yield
    stores._stores.clear()


def test_a_claim(lose_reply, calls):
    jobs.enqueue_many([Record("a"), Record("b")])
    lose_reply("claim")
    assert jobs.Worker().work_off() == (2, 0)
    assert calls == ["a", "b"]
    assert not Job.objects.exists()


def test_a_claim_beside_jobs_in_other_slots(lose_reply, calls):
    jobs.enqueue_many([Record(number) for number in range(6)])
    worker = jobs.Worker(concurrency=3)
    lose_reply("claim")
    assert worker.work_off() == (6, 0)
    assert sorted(calls) == list(range(6))


def test_a_job_that_ends_while_a_lost_claim_is_looked_for_is_not_taken_for_it(
    lose_reply, monkeypatch
):
    worker = jobs.Worker()
    claims, store = Claims(worker, worker.stopping), store_for(Job)
    jobs.enqueue(Record())
    (running,) = claims.reserve(store, 1)
    find = store.find

    def ends_meanwhile(*args, **kwargs):
        rows = find(*args, **kwargs)
        assert transitions.succeed(running)
        claims.is_done_with((running.pk, 0))
        return rows

    monkeypatch.setattr(store, "find", ends_meanwhile)
    lose_reply("claim")
    assert claims.reserve(store, 1) == []
    assert not Job.objects.exists()


def test_a_job_whose_outcome_was_not_written_is_not_taken_for_a_lost_claim(
    lose_reply, monkeypatch, calls
):
    jobs.enqueue(Record("first"))
    worker = jobs.Worker()

    def full(*args, **kwargs):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(worker.recorder, "succeeded", full)
        assert worker.work_off() == (0, 1)
    jobs.enqueue(Record("second"))
    lose_reply("claim")
    assert worker.work_off() == (1, 0)
    assert calls == ["first", "second"]


def test_a_success_that_deletes_the_row(lose_reply, calls, caplog):
    jobs.enqueue(Record())
    lose_reply("delete")
    assert jobs.Worker().work_off(1) == (1, 0)
    assert "dropped" not in caplog.text


def test_a_success_that_keeps_the_row(lose_reply, settings):
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": 60}
    jobs.enqueue(Record())
    lose_reply("change")
    assert jobs.Worker().work_off(1) == (1, 0)
    assert (Job.objects.get().state, Job.objects.get().epoch) == (State.SUCCEEDED, 1)


@pytest.mark.parametrize(("limit", "state"), [(25, State.SCHEDULED), (1, State.FAILED)])
def test_a_failure(lose_reply, settings, limit, state):
    settings.JOBS = {"MAX_ATTEMPTS": limit}
    jobs.enqueue(Fail())
    lose_reply("change")
    assert jobs.Worker().work_off(1) == (0, 1)
    job = Job.objects.get()
    assert (job.state, job.attempts, job.epoch) == (state, 1, 1)


def test_a_failure_that_was_never_written_is_not_taken_for_recorded(monkeypatch):
    jobs.enqueue(Fail())
    worker = jobs.Worker()
    job = Job.objects.reserve(worker)
    store = store_for(Job)
    original = store.change

    def cancelled_meanwhile(*args, **kwargs):
        monkeypatch.setattr(store, "change", original)
        Job.objects.filter(epoch=0).update(state=State.CANCELLED, epoch=1)
        raise store.unavailable[0]("the connection broke")

    monkeypatch.setattr(store, "change", cancelled_meanwhile)
    assert worker.run(job) is None
    assert (Job.objects.get().state, Job.objects.get().attempts) == (State.CANCELLED, 0)


def test_a_registration(lose_reply, calls):
    job = jobs.enqueue(Record("x"))
    Job.objects.filter(epoch=0).update(state=State.RUNNING, locked_by="w", handed_over=True)
    lose_reply("change")
    assert run_registered(jobs.Worker(), str(job.pk), "0") is True
    assert calls == ["x"]


def test_taking_a_job_by_hand(lose_reply, calls):
    job = jobs.enqueue(Record("x"))
    lose_reply("change")
    assert run_by_hand(jobs.Worker(), str(job.pk)) is True
    assert calls == ["x"]


def test_what_is_no_unavailability_is_raised_at_once():
    store = store_for(Job)
    assert not store.is_unavailable(ValueError("no"))
    assert not store.is_unavailable(OperationalError("no such table: jobs_job"))
