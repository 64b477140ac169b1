"""Every way to enqueue a task of either kind: one row, one signal, one line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

import jobs
from jobs.models import Job
from jobs.tasks import JobsBackend, compat
from tests.tasks import work
from tests.tasks.backends import Labelled, Labels, Narrow
from tests.tasks.loops import in_a_loop

pytestmark = pytest.mark.django_db(transaction=True)

Way = Callable[..., Any]


async def awaited(method: Any, *args: Any, **kwargs: Any) -> Any:
    return await method(*args, **kwargs)


def by_task(task: Any, *args: Any, **kwargs: Any) -> Any:
    return task.enqueue(*args, **kwargs)


def by_task_in_a_loop(task: Any, *args: Any, **kwargs: Any) -> Any:
    return in_a_loop(awaited(task.aenqueue, *args, **kwargs))


def by_backend(task: Any, *args: Any, **kwargs: Any) -> Any:
    return task.get_backend().enqueue(task, args, kwargs)


def by_backend_in_a_loop(task: Any, *args: Any, **kwargs: Any) -> Any:
    return in_a_loop(awaited(task.get_backend().aenqueue, task, args, kwargs))


every_way = pytest.mark.parametrize(
    "way", [by_task, by_task_in_a_loop, by_backend, by_backend_in_a_loop]
)
of_both_kinds = pytest.mark.parametrize("task", [work.nothing, work.nothing_async])


@every_way
@of_both_kinds
@pytest.mark.parametrize("given", [((), {}), ((1,), {"two": 3})], ids=["bare", "with arguments"])
def test_a_task_that_is_enqueued_is_ready_with_its_arguments(way, task, given, told, caplog):
    caplog.set_level("DEBUG", logger=compat.NAME)
    args, kwargs = given
    result = way(task, *args, **kwargs)
    assert Job.objects.count() == 1
    assert (result.status, result.is_finished, result.attempts) == ("READY", False, 0)
    assert (result.args, result.kwargs, result.errors) == (list(args), kwargs, [])
    assert result.started_at is result.last_attempted_at is result.finished_at is None
    assert (result.task, result.backend) == (task, "default")
    assert told == [("task_enqueued", JobsBackend, result)]
    (line,) = [each.getMessage() for each in caplog.records if each.name == compat.NAME]
    assert f"id={result.id} " in line
    assert "enqueued" in line


@every_way
@of_both_kinds
def test_with_delay_jobs_off_it_has_ended_when_the_call_returns(way, task, told, caplog):
    caplog.set_level("DEBUG", logger=compat.NAME)
    with override_settings(JOBS={"DELAY_JOBS": False}):
        result = way(task, 1, two=3)
    assert (result.status, result.is_finished, result.return_value) == ("SUCCESSFUL", True, None)
    assert result.enqueued_at <= result.started_at == result.last_attempted_at
    assert result.started_at <= result.finished_at
    assert (result.task, result.args, result.kwargs) == (task, [1], {"two": 3})
    assert (result.attempts, len(result.worker_ids)) == (1, 1)
    assert [name for name, *_ in told] == ["task_enqueued", "task_started", "task_finished"]
    lines = [each.getMessage() for each in caplog.records if each.name == compat.NAME]
    assert [line.rpartition(" ")[2] for line in lines] == [
        *("backend=default", "state=RUNNING", "state=SUCCESSFUL"),
    ]
    assert all(f"id={result.id} " in line and "NoneType" not in line for line in lines)


@every_way
@pytest.mark.parametrize(
    "wrong", [dt.datetime(2030, 1, 1), any, object(), work.nothing], ids=range(4)
)
def test_an_argument_without_a_counterpart_in_json_is_a_type_error(way, wrong, told):
    with pytest.raises(TypeError):
        way(work.nothing, wrong)
    with pytest.raises(TypeError):
        way(work.nothing, {"in": [wrong]})
    with pytest.raises(TypeError):
        way(work.nothing, named=wrong)
    assert not Job.objects.exists()
    assert told == []


@every_way
def test_a_task_is_looked_at_again_when_it_is_enqueued(way, told):
    task = work.nothing.using(queue_name="unknown_queue")
    narrow = {"default": {"BACKEND": "jobs.tasks.JobsBackend", "QUEUES": ["queue-1"]}}
    message = "Queue 'unknown_queue' is not valid for backend"
    with override_settings(TASKS=narrow), pytest.raises(compat.InvalidTask, match=message):
        way(task)
    assert not Job.objects.exists()
    assert told == []


@pytest.mark.skipif(not connection.features.supports_transactions, reason="it has none")
def test_a_task_is_there_before_the_commit_and_signalled_then(told):
    with transaction.atomic():
        result = work.nothing.enqueue()
        assert result.enqueued_at is not None
        assert Job.objects.count() == len(told) == 1
    assert Job.objects.count() == len(told) == 1


@pytest.mark.parametrize("later", [None, dt.timedelta(hours=1), dt.timedelta(days=-1)], ids=str)
def test_the_instant_of_a_task_comes_back(later):
    instant = None if later is None else timezone.now().replace(microsecond=0) + later
    result = work.nothing.using(run_after=instant).enqueue()
    assert work.nothing.get_result(result.id).task.run_after == instant


@every_way
def test_a_receiver_may_be_a_coroutine(way):
    heard: list[Any] = []

    async def receive(task_result: Any, **kwargs: Any) -> None:
        heard.append(task_result.id)

    compat.signals.task_enqueued.connect(receive)
    try:
        result = way(work.nothing)
    finally:
        compat.signals.task_enqueued.disconnect(receive)
    assert heard == [result.id]


NARROW = {"default": {"BACKEND": "tests.tasks.backends.Narrow", "QUEUES": []}}
LABELS = {"default": {"BACKEND": "tests.tasks.backends.Labels", "QUEUES": []}}


@override_settings(TASKS=NARROW)
def test_the_sender_of_a_signal_is_the_class_of_a_backend_of_your_own(told):
    work.nothing.enqueue()
    assert jobs.Worker().work_off() == (1, 0)
    assert {sender for _, sender, _ in told} == {Narrow}
    assert len(told) == 3


@override_settings(TASKS=LABELS)
def test_a_backend_of_your_own_may_have_its_own_class_of_tasks():
    result = work.labelled.enqueue(1)
    assert jobs.Worker().work_off() == (1, 0)
    result.refresh()
    assert result.status == "SUCCESSFUL"
    again = compat.task_backends["default"].get_result(result.id).task
    assert isinstance(compat.task_backends["default"], Labels)
    assert (type(again), again.label) == (Labelled, "blue")


def test_a_static_method_is_performed_by_its_path():
    result = work.task(work.Holder.static).enqueue(5)
    assert Job.objects.get(pk=result.id).name == "tests.tasks.work.Holder.static"
    assert jobs.Worker().work_off() == (1, 0)
    result.refresh()
    assert result.return_value == 5
