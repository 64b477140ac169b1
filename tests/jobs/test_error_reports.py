"""Sentry and the like are told of each failed attempt once, whatever they raise."""

from __future__ import annotations

import pytest

import jobs
from jobs.models import Job, State
from jobs.plugins import ErrorReports
from tests.handlers import set_rows
from tests.processes import row
from tests.samples import Fail, Record

pytestmark = pytest.mark.django_db(transaction=True)


class Reports(ErrorReports):
    told: list = []

    def report(self, job, error, *, last):
        self.told.append((type(error).__name__, str(error), last, job.attempts, row(job).state))


class Broken(ErrorReports):
    def report(self, job, error, *, last):
        raise SystemExit("the reporter is broken")


@pytest.fixture
def told():
    Reports.told.clear()
    return Reports.told


def perform_again():
    Job.objects.filter(state=State.SCHEDULED).update(run_at="2020-01-01T00:00:00Z")
    return jobs.Worker(plugins=["jobs.plugins.ClearLocks", Reports]).work_off()


def test_each_attempt_is_reported_once_after_it_was_recorded(told, settings):
    settings.JOBS = {"MAX_ATTEMPTS": 2}
    jobs.enqueue(Fail("no luck"))
    assert [perform_again(), perform_again()] == [(0, 1), (0, 1)]
    assert told == [
        ("RuntimeError", "no luck", False, 1, State.SCHEDULED),
        ("RuntimeError", "no luck", True, 2, State.FAILED),
    ]


def test_a_job_that_cant_be_loaded_and_one_that_lost_its_worker_are_reported(told):
    job = jobs.enqueue(Record())
    set_rows(signature="wrong")
    perform_again()
    assert told.pop()[::2] == ("DeserializationError", True, State.FAILED)
    job = jobs.enqueue(Record())
    Job.objects.reserve(jobs.Worker(name="dead"))
    jobs.Worker(name="dead", plugins=[Reports]).let_go_of_all()
    assert told == [
        ("Lost", "The worker dead that performed it is gone: it was let go of.", False, 1,
         State.SCHEDULED)
    ]  # fmt: skip
    assert row(job)._error is None


def test_a_success_and_an_outcome_that_is_dropped_are_not_reported(told, monkeypatch):
    jobs.enqueue(Record())
    assert perform_again() == (1, 0)
    job = jobs.enqueue(Fail())
    cancelled = lambda self: Job.objects.filter(pk=job.pk).update(epoch=5)  # noqa: E731
    monkeypatch.setattr(Fail, "before", cancelled, raising=False)
    assert perform_again() == (0, 0)
    assert told == []


def test_a_reporter_that_raises_costs_no_outcome(settings):
    settings.JOBS = {"MAX_ATTEMPTS": 1}
    job = jobs.enqueue(Fail())
    assert jobs.Worker(plugins=[Broken]).work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.FAILED, 1)
