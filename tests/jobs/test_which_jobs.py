"""What `jobs.cancel(...)` and its siblings take for jobs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User

import jobs
from jobs.models import Job, Pause, State
from tests.jobs.commanding import enqueued
from tests.processes import row

pytestmark = pytest.mark.django_db(transaction=True)

ACTIONS = [jobs.retry, jobs.reschedule, jobs.cancel, jobs.unlock, jobs.delete]
#: Of a job's key.
NEITHER = {
    "an object with a key": lambda pk: SimpleNamespace(pk=pk),
    "a row of another model": lambda pk: User(pk=pk),
    "a class": lambda pk: Job,
    "True": lambda pk: True,
    "None": lambda pk: None,
    "a list of keys": lambda pk: [pk],
    "a set of keys": lambda pk: {pk},
    "a query set": lambda pk: Job.objects.all(),
    "a float": lambda pk: 1.0,
    "bytes": lambda pk: str(pk).encode()[:12].ljust(12),
}


@pytest.mark.parametrize("kind", NEITHER)
def test_what_is_neither_a_job_nor_an_id_is_refused_and_nothing_is_changed(kind):
    job = enqueued()
    wrong: Any = NEITHER[kind](job.pk)
    for act in ACTIONS:
        with pytest.raises(TypeError, match=r"is neither a jobs\.Job nor an id of one"):
            act(job, wrong)
        if wrong is not None:  # a condition that is None says nothing
            with pytest.raises(TypeError, match=r"is neither a jobs\.Job nor an id of one"):
                act(id=wrong)
    assert row(job).state == State.READY


def test_a_row_of_another_model_is_no_job_even_if_its_key_is_a_text():
    with pytest.raises(TypeError, match="A Pause is neither"):
        jobs.cancel(Pause(key="queue:mail"))


def test_jobs_and_ids_in_any_form_are_taken():
    found = [enqueued() for _ in range(4)]
    deferred = Job.objects.only("pk").get(pk=found[3].pk)
    assert jobs.cancel(found[0], found[1].pk, str(found[2].pk), deferred).done == 4
    assert jobs.delete(id=found[0]).done == 1
    assert jobs.delete(id=str(found[1].pk)).done == 1
    assert jobs.delete("no id", 2**70, "-1").done == 0
