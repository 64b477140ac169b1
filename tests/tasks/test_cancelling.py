"""Who hears of a task that is cancelled: receivers of `task_finished`, if it is one."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

import jobs
from jobs import exceptions
from jobs.models import Job
from jobs.tasks import compat
from tests.jobs.test_admin_actions import confirmed, post
from tests.samples import Record
from tests.tasks import work

pytestmark = pytest.mark.django_db(transaction=True)


def finished(told: list[Any]) -> list[Any]:
    return [result for name, _, result in told if name == "task_finished"]


@contextmanager
def heard_by(receive: Any) -> Iterator[None]:
    compat.signals.task_finished.connect(receive)
    try:
        yield
    finally:
        compat.signals.task_finished.disconnect(receive)


def by_code(pk: str) -> None:
    assert jobs.cancel(pk).done == 1


def by_condition_and_name(pk: str) -> None:
    assert jobs.cancel(Job.objects.get(pk=pk), queue="default").done == 1


def by_command(pk: str) -> None:
    call_command("jobs", "cancel", pk, "--yes", stdout=io.StringIO())


WAYS = [by_code, by_condition_and_name, by_command]


@pytest.mark.parametrize("cancel", WAYS)
def test_a_task_that_is_cancelled_tells_its_end_once(cancel, told):
    handled: list[Any] = []

    def receive(**kwargs: Any) -> None:
        handled.append(sys.exc_info()[0])

    result = work.add.enqueue(1)
    with heard_by(receive):
        cancel(result.id)
    (ended,) = finished(told)
    assert (ended.id, ended.status, ended.is_finished) == (result.id, "FAILED", True)
    assert [error.exception_class for error in ended.errors] == [exceptions.Cancelled]
    assert (ended.task, ended.args, ended.attempts) == (work.add, [1], 0)
    assert ended.finished_at is not None
    assert handled == [exceptions.Cancelled]
    assert jobs.Worker().work_off() == (0, 0)
    assert jobs.cancel(result.id).done == 0
    assert len(finished(told)) == 1


def test_the_admin_tells_of_one_too(admin_client, told):
    result = work.add.enqueue(1)
    job = Job.objects.get(pk=result.id)
    confirmed(admin_client, post(admin_client, "cancel", job))
    result.refresh()
    assert result.is_finished
    assert [each.id for each in finished(told)] == [result.id]


def test_what_a_running_task_comes_to_is_not_told_again(told):
    result = work.add.enqueue(1)
    job = Job.objects.reserve(jobs.Worker(name="w"))
    jobs.cancel(result.id)
    assert jobs.Worker(name="w").run(job) is None
    assert [each.status for each in finished(told)] == ["FAILED"]


def test_of_many_that_one_statement_cancels_nobody_is_told(told):
    several = [work.add.enqueue(number) for number in range(4)]
    assert jobs.cancel(several[0].id, several[1].id).done == 2
    assert jobs.cancel(queue="default").done == 2
    for result in several:
        result.refresh()
        assert [error.exception_class for error in result.errors] == [exceptions.Cancelled]
    assert finished(told) == []


def test_one_that_is_not_cancelled_is_not_told(told):
    result = work.add.enqueue(1)
    assert jobs.cancel(result.id, dry_run=True).done == 1
    assert jobs.cancel(result.id, queue="other").done == 0
    assert finished(told) == []


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(3)])
@pytest.mark.parametrize("cancel", WAYS)
def test_a_receiver_that_raises_stops_no_cancel(cancel, raised):
    def receive(**kwargs: Any) -> None:
        raise raised

    result = work.add.enqueue(1)
    with heard_by(receive):
        cancel(result.id)
    result.refresh()
    assert result.status == "FAILED"


@pytest.mark.parametrize("broken", [{"signature": ""}, {"handler": "{}"}, {"result": "x"}])
def test_a_row_that_somebody_broke_is_cancelled_all_the_same(broken):
    result = work.add.enqueue(1)
    Job.objects.filter(pk=result.id).update(**broken)
    by_code(result.id)
    assert Job.objects.get(pk=result.id).state == "cancelled"


@pytest.mark.usefixtures("known_clock")
def test_telling_costs_no_statement_more():
    if connection.vendor == "mongodb":
        pytest.skip("Django doesn't count the driver's commands.")
    for pk in (jobs.enqueue(Record(1)).pk, work.add.enqueue(1).id):
        with CaptureQueriesContext(connection) as captured:
            by_code(pk)
        sent = [query["sql"].split()[0] for query in captured]
        assert [each for each in sent if each != "BEGIN"] == ["SELECT", "UPDATE"]
