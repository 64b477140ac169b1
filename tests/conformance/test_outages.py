"""While the database was away nobody could renew a lease, so none is taken for expired
right after.
"""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

import jobs
from jobs import store as stores
from jobs.models import Job, State
from jobs.process.reaper import Reaper
from jobs.store import store_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

LEASE = 60.0


@pytest.fixture
def reaper(settings, passed):
    settings.JOBS = {"LEASE": LEASE}
    jobs.enqueue(Record())
    Job.objects.reserve(jobs.Worker(name="living"))
    Job.objects.filter(state=State.RUNNING).update(locked_at=timezone.now() - dt.timedelta(hours=1))
    yield Reaper(Job, jobs.Worker().recorder)
    stores._stores.clear()


def test_a_lease_that_has_expired_is_reaped(reaper):
    reaper.reap()
    assert Job.objects.get().state == State.SCHEDULED


def test_nothing_is_reaped_by_a_question_that_waited_for_the_database(reaper, passed, monkeypatch):
    store = store_for(Job)
    original = store.ids

    def kept_waiting(*args, **kwargs):
        passed[0] += LEASE / 3  # longer than a living database takes
        return original(*args, **kwargs)

    monkeypatch.setattr(store, "ids", kept_waiting)
    reaper.reap()
    assert Job.objects.get().state == State.RUNNING
    monkeypatch.setattr(store, "ids", original)
    # Nor by the next ones: the living still need the time to renew.
    for _ in range(2):
        reaper.reap()
        assert Job.objects.get().state == State.RUNNING
        passed[0] += LEASE / 4 - 1
    passed[0] += 2
    reaper.reap()
    assert Job.objects.get().state == State.SCHEDULED
