"""Every write to a marker: what it goes by, and what it makes of it. Nothing is
submitted here.
"""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest

import jobs
from batchexec import markers
from batchexec.models import BatchJob
from jobs.models import Job
from jobs.store import store_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

REQUEST = {"job_name": "n", "job_queue": "q", "job_definition": "d:1"}
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)


def job_of(epoch: int = 0) -> Job:
    job = jobs.enqueue(Record())
    job.epoch = epoch
    return job


def intended(epoch: int = 0, **fields: Any) -> BatchJob:
    marker = markers.commit_intent(job_of(epoch), **REQUEST)
    assert marker is not None
    if fields:
        BatchJob.objects.filter(pk=marker.pk).update(**fields)
    return BatchJob.objects.get(pk=marker.pk)


def values(marker: BatchJob) -> dict[str, Any]:
    values = {
        field.attname: getattr(marker, field.attname) for field in BatchJob._meta.concrete_fields
    }
    return {
        name: in_milliseconds(value) if isinstance(value, dt.datetime) else value
        for name, value in values.items()
    }


def in_milliseconds(value: dt.datetime) -> dt.datetime:
    """As MongoDB keeps it."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def row(marker: BatchJob) -> BatchJob:
    return BatchJob.objects.get(pk=marker.pk)


def test_of_two_that_commit_the_intent_of_one_epoch_one_has_it():
    job = job_of()
    marker = markers.commit_intent(job, **REQUEST)
    assert marker is not None
    assert (marker.job_id, marker.epoch, marker.batch_job_id, marker.state) == (
        str(job.pk),
        0,
        "",
        BatchJob.State.SUBMITTING,
    )
    assert markers.commit_intent(job, **REQUEST) is None
    assert BatchJob.objects.count() == 1


def test_of_two_that_insert_at_the_same_moment_one_has_it(monkeypatch):
    job = job_of()
    find = markers.find

    def find_nothing_yet(job: Job) -> None:
        monkeypatch.setattr(markers, "find", find)
        assert markers.commit_intent(job, **REQUEST) is not None

    monkeypatch.setattr(markers, "find", find_nothing_yet)
    assert markers.commit_intent(job, **REQUEST) is None
    assert BatchJob.objects.count() == 1


def test_the_marker_of_an_older_epoch_is_replaced_as_a_whole():
    job = job_of(1)
    old = markers.commit_intent(job, **REQUEST)
    markers.record_submission(old, "batch-1")
    markers.record_status(old, "RUNNING", "why", "stream")
    job.epoch = 2
    fresh = markers.commit_intent(job, **{**REQUEST, "job_name": "n 2"})
    assert fresh is not None
    assert (fresh.pk, fresh.epoch, fresh.job_name, fresh.batch_job_id) == (old.pk, 2, "n 2", "")
    assert (fresh.state, fresh.status, fresh.status_reason, fresh.log_stream) == (
        BatchJob.State.SUBMITTING,
        "",
        "",
        "",
    )
    assert fresh.submitted_at >= old.submitted_at


def test_the_marker_of_a_later_epoch_is_not_replaced():
    job = job_of(2)
    later = markers.commit_intent(job, **REQUEST)
    for epoch in (1, 2):
        job.epoch = epoch
        assert markers.commit_intent(job, **REQUEST) is None
    assert values(row(later)) == values(BatchJob.objects.get())
    assert row(later).epoch == 2


@pytest.mark.parametrize("meanwhile", [3, 4, None])
def test_a_marker_that_somebody_replaced_or_cleared_meanwhile_is_not_replaced_again(
    monkeypatch, meanwhile
):
    job = job_of(1)
    old = markers.commit_intent(job, **REQUEST)
    job.epoch = 3
    find = markers.find

    def find_and_lose(job: Job) -> BatchJob | None:
        monkeypatch.setattr(markers, "find", find)
        found = find(job)
        other = copy.copy(job)
        other.epoch = meanwhile
        assert (
            markers.clear(old)
            if meanwhile is None
            else markers.commit_intent(other, **{**REQUEST, "job_name": "theirs"})
        )
        return found

    monkeypatch.setattr(markers, "find", find_and_lose)
    assert markers.commit_intent(job, **REQUEST) is None
    assert [(marker.epoch, marker.job_name) for marker in BatchJob.objects.all()] == (
        [] if meanwhile is None else [(meanwhile, "theirs")]
    )


def test_an_intent_that_became_a_later_epochs_before_it_was_read_again_is_not_this_ones(
    monkeypatch,
):
    job = job_of(1)
    markers.commit_intent(job, **REQUEST)
    job.epoch = 2
    find, found = markers.find, []

    def replaced_before_the_second_look(job: Job) -> BatchJob | None:
        found.append(find(job))
        if len(found) == 2:
            BatchJob.objects.update(epoch=3)
            return find(job)
        return found[-1]

    monkeypatch.setattr(markers, "find", replaced_before_the_second_look)
    assert markers.commit_intent(job, **REQUEST) is None
    assert len(found) == 2


def change(name: str, marker: BatchJob) -> Any:
    arguments: dict[str, list[str]] = {
        "record_submission": ["batch-2"],
        "record_runner": ["batch-2"],
        "record_status": ["RUNNING", "why", "stream"],
    }
    return getattr(markers, name)(marker, *arguments.get(name, []))


#: What each goes by, beside the epoch, with what somebody else may have made of it.
GROUNDS: dict[str, dict[str, Any]] = {
    "repeat_intent": {"batch_job_id": "batch-1", "submitted_at": LONG_AGO},
    "record_submission": {"batch_job_id": "batch-1"},
    "record_runner": {"batch_job_id": "batch-1"},
    "record_status": {},
    "clear": {},
}
MEANWHILE: dict[str, Any] = {
    "epoch": 8,
    "batch_job_id": "batch-1",
    **GROUNDS["repeat_intent"],
    "status": "FAILED",
}


@pytest.mark.parametrize("name", GROUNDS)
def test_a_write_is_refused_where_what_it_goes_by_has_changed_and_only_there(name):
    for field, value in MEANWHILE.items():
        marker = intended(7)
        BatchJob.objects.filter(pk=marker.pk).update(**{field: value})
        before, stale = values(row(marker)), copy.copy(marker)
        done = change(name, stale)
        refused = BatchJob.objects.filter(pk=marker.pk).exists() and values(row(marker)) == before
        assert refused is (field == "epoch" or field in GROUNDS[name]), field
        if name != "record_status":  # which nothing is decided by
            assert done is not refused
        if refused:
            assert values(stale) == values(marker)


def test_what_is_recorded_is_in_the_row_and_in_the_instance():
    marker = intended()
    assert markers.record_submission(marker, "batch-1")
    assert (row(marker).batch_job_id, row(marker).state) == ("batch-1", BatchJob.State.SUBMITTED)
    assert (marker.batch_job_id, marker.state) == (row(marker).batch_job_id, row(marker).state)
    markers.record_status(marker, "FAILED", "why", "stream")
    assert (row(marker).status, row(marker).status_reason, row(marker).log_stream) == (
        "FAILED",
        "why",
        "stream",
    )
    # Another Batch job of the same epoch is the runner: what was said of the first one
    # isn't said of it.
    assert markers.record_runner(marker, "batch-2")
    assert (row(marker).batch_job_id, row(marker).status, row(marker).state) == (
        "batch-2",
        "",
        BatchJob.State.SUBMITTED,
    )
    assert markers.clear(marker)
    assert not BatchJob.objects.exists()


def test_a_repeated_intent_counts_from_now_and_one_of_two_repeats_it():
    marker = intended(submitted_at=LONG_AGO)
    twin = copy.copy(marker)
    assert markers.repeat_intent(marker)
    assert store_for(BatchJob).now() - row(marker).submitted_at < dt.timedelta(minutes=30)
    assert not markers.repeat_intent(twin)


@pytest.mark.parametrize("recorded", [markers.record_submission, markers.record_runner])
def test_a_mark_that_a_batch_job_is_to_end_stays_when_its_id_is_recorded(recorded):
    marker = intended()
    assert markers.mark_unwanted([marker.job_id]) == 1
    assert recorded(marker, "batch-job-1")
    assert (row(marker).batch_job_id, row(marker).state) == ("batch-job-1", "unwanted")
