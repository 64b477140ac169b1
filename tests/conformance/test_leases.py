"""A sign of life is for who still is what it believes to be."""

from __future__ import annotations

import datetime as dt

import pytest

import jobs
from jobs.models import Job, State
from jobs.process.leases import Heartbeat
from jobs.store import store_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def job() -> Job:
    """Running, with signs of life that are a minute old."""
    jobs.enqueue(Record())
    claimed = Job.objects.reserve(jobs.Worker(name="w"))
    ago = store_for(Job).now() - MINUTE
    Job.objects.filter(pk=claimed.pk).update(locked_at=ago, heartbeat_at=ago)
    return Job.objects.get(pk=claimed.pk)


def renewed(job: Job, kind: str) -> bool:
    """Beats once; whether the row shows it. What was not renewed must be told."""
    heartbeat = Heartbeat()
    try:
        with getattr(heartbeat, kind)(job) as hold:
            heartbeat.beat()
            lost = hold.lost.is_set()
    finally:
        heartbeat.stop()
    name = {"watching": "locked_at", "executing": "heartbeat_at"}[kind]
    row = Job.objects.get(pk=job.pk)
    other = {"locked_at", "heartbeat_at"} - {name}
    assert [getattr(row, one) for one in other] == [getattr(job, one) for one in other]
    assert lost is (getattr(row, name) == getattr(job, name))
    return not lost


@pytest.mark.parametrize(
    ("meanwhile", "watches", "executes"),
    [
        ({}, True, True),
        ({"epoch": 1}, False, True),
        ({"locked_by": "w 2"}, False, True),
        ({"state": State.DETACHED}, False, True),
        ({"state": State.CANCELLED, "epoch": 1, "locked_by": ""}, False, True),
        ({"runner": "w 2@0"}, True, False),
    ],
)
def test_a_watcher_renews_while_lock_and_epoch_are_its_own_and_a_runner_while_it_is_named(
    job, meanwhile, watches, executes
):
    Job.objects.filter(pk=job.pk).update(**meanwhile)
    assert renewed(job, "watching") is watches
    Job.objects.filter(pk=job.pk).update(locked_at=job.locked_at)
    assert renewed(job, "executing") is executes


def test_of_several_only_the_lost_ones_are_told(job):
    jobs.enqueue_many([Record(), Record()])
    worker = jobs.Worker(name="w")
    held = [job, Job.objects.reserve(worker), Job.objects.reserve(worker)]
    Job.objects.filter(pk=held[1].pk).update(locked_by="other")
    heartbeat = Heartbeat()
    try:
        with (
            heartbeat.watching(held[0]) as first,
            heartbeat.watching(held[1]) as second,
            heartbeat.watching(held[2]) as third,
        ):
            heartbeat.beat()
            assert [hold.lost.is_set() for hold in (first, second, third)] == [False, True, False]
    finally:
        heartbeat.stop()
