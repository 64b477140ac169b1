"""Tasks on AWS Batch: the worker's option, and nothing else."""

from __future__ import annotations

import pytest
from django.db import connection

from jobs import exceptions
from tests.tasks import work

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "postgresql", reason="the queue's lane alone"),
]


def test_a_task_is_performed_in_a_container_with_the_resources_of_its_options(
    batch, worker, client_of, calls, told
):
    result = work.add.enqueue(1, b=2)
    sized = work.optioned.enqueue()
    assert worker().work_off() == (2, 0)
    result.refresh()
    assert (result.status, result.return_value, calls) == ("SUCCESSFUL", 3, [])
    [place] = result.worker_ids
    ids = [each["jobId"] for each in batch.calls()["submissions"]]
    containers = [each["container"] for each in client_of(batch).describe_jobs(jobs=ids)["jobs"]]
    (asked,) = [
        {each["type"]: each["value"] for each in container["resourceRequirements"]}
        for container in containers
        if container["command"][-1] == sized.id
    ]
    assert asked == {"VCPU": "1", "MEMORY": "2048"}
    assert place.endswith("/1")
    # The signals of a try are sent where it happens: in the container.
    assert [name for name, *_ in told] == ["task_enqueued", "task_enqueued"]


def test_a_try_that_failed_in_a_container_is_followed_by_another(batch, worker):
    result = work.stubborn.enqueue(1)
    assert worker().work_off(1) == (0, 1)
    result.refresh()
    assert (result.status, result.attempts) == ("READY", 1)
    assert worker().work_off() == (1, 0)
    result.refresh()
    assert (result.status, result.return_value, result.attempts) == ("SUCCESSFUL", 2, 2)
    assert [error.exception_class for error in result.errors] == [ValueError]
    assert len(set(result.worker_ids)) == 2


def test_a_container_that_was_killed_is_a_failed_try_that_its_watcher_records(batch, worker):
    result = work.die.enqueue()
    assert worker().work_off() == (0, 1)
    result.refresh()
    assert (result.status, result.attempts) == ("FAILED", 1)
    assert [error.exception_class for error in result.errors] == [exceptions.Lost]
    assert result.worker_ids[0].endswith("/1")
