"""Results that are read again: by their ids, at another time, in another process."""

from __future__ import annotations

import dataclasses
import pickle
import uuid
from typing import Any

import django
import pytest
from django.db import connection
from django.test import override_settings

import jobs
from jobs.models import Job
from jobs.tasks import JobResult, compat
from tests.tasks import work
from tests.tasks.loops import in_a_loop

pytestmark = pytest.mark.django_db(transaction=True)
needs_counts = pytest.mark.skipif(
    connection.vendor == "mongodb", reason="Django doesn't count the driver's commands."
)


def fields(result: Any) -> dict[str, Any]:
    """A database may keep less of an instant than the process that enqueued had."""
    found = {each.name: getattr(result, each.name) for each in dataclasses.fields(result)}
    found["enqueued_at"] = f"{result.enqueued_at:%s.%f}"[:-3]
    return found


async def fetched(task: Any, result_id: str) -> Any:
    return await task.aget_result(result_id)


@pytest.mark.parametrize("task", [work.add, work.think])
def test_a_result_is_the_same_by_task_and_backend_now_and_in_a_loop(task):
    result = task.enqueue([1, {"two": None}])
    default = compat.task_backends["default"]
    for again in (
        task.get_result(result.id),
        task.using(queue_name="x", priority=3).get_result(result.id),
        default.get_result(result.id),
        in_a_loop(fetched(task, result.id)),
        in_a_loop(default.aget_result(result.id)),
    ):
        assert isinstance(again, JobResult)
        assert again.task == task
        assert fields(again) == fields(result)


@pytest.mark.parametrize("way", ["refresh", "arefresh"])
def test_a_refresh_that_finds_nothing_new_changes_nothing(way):
    result = work.add.enqueue(1)
    before = fields(result)
    if way == "refresh":
        assert result.refresh() is None
    else:
        in_a_loop(result.arefresh())
    assert fields(result) == before


@pytest.mark.parametrize("way", ["refresh", "arefresh"])
def test_a_result_says_what_it_knew_until_it_is_refreshed(way):
    result = work.add.enqueue(1, b=2)
    assert jobs.Worker(name="w").work_off() == (1, 0)
    assert (result.status, result.attempts, result.is_finished) == ("READY", 0, False)
    assert result.started_at is result.last_attempted_at is result.finished_at is None
    if way == "refresh":
        result.refresh()
    else:
        in_a_loop(result.arefresh())
    assert (result.status, result.attempts, result.return_value) == ("SUCCESSFUL", 1, 3)
    assert None not in (result.started_at, result.last_attempted_at, result.finished_at)


@needs_counts
def test_each_of_enqueue_get_and_refresh_is_one_statement(django_assert_num_queries):
    for task in (work.add, work.think):
        with django_assert_num_queries(1):
            result = task.enqueue(1)
        with django_assert_num_queries(1):
            task.get_result(result.id)
        with django_assert_num_queries(1):
            result.refresh()


SOME_UUID = uuid.UUID("12345678-1234-4123-8123-123456789abc")


@pytest.mark.parametrize("missing", [str(SOME_UUID), SOME_UUID, "123", 123, "does.not"], ids=repr)
def test_what_is_not_there_does_not_exist_and_says_its_id(missing):
    default = compat.task_backends["default"]
    with pytest.raises(compat.TaskResultDoesNotExist, match=str(missing)):
        default.get_result(missing)
    with pytest.raises(compat.TaskResultDoesNotExist, match=str(missing)):
        in_a_loop(fetched(work.add, missing))


def test_a_result_whose_row_was_deleted_does_not_exist_any_longer():
    result = work.add.enqueue(1)
    Job.objects.all().delete()
    with pytest.raises(compat.TaskResultDoesNotExist):
        result.refresh()
    with pytest.raises(compat.TaskResultDoesNotExist):
        in_a_loop(result.arefresh())


def test_the_result_of_another_task_is_a_mismatch_in_a_loop_too():
    from importlib import import_module

    mismatch = import_module(f"{compat.NAME}.exceptions").TaskResultMismatch
    result = work.think.enqueue(1)
    with pytest.raises(mismatch, match=r"received 'tests\.tasks\.work\.think'"):
        work.add.get_result(result.id)
    with pytest.raises(mismatch, match=r"received 'tests\.tasks\.work\.think'"):
        in_a_loop(fetched(work.add, result.id))


def test_a_value_that_is_not_there_yet_and_one_that_never_comes_are_errors():
    result = work.add.enqueue(1)
    with pytest.raises(ValueError, match="Task has not finished yet"):
        result.return_value  # noqa: B018
    work.replies.append(ValueError("no"))
    failed = work.reply.enqueue()
    jobs.Worker().work_off()
    failed.refresh()
    with pytest.raises(ValueError, match="Task failed"):
        failed.return_value  # noqa: B018


def test_the_class_of_an_error_is_looked_up_when_it_is_asked_for():
    class Local(Exception):
        pass

    work.replies.append(Local("of a function"))
    result = work.reply.enqueue()
    jobs.Worker().work_off()
    result.refresh()
    (error,) = result.errors
    assert error.exception_class_path.endswith("<locals>.Local")
    with pytest.raises(ImportError):
        error.exception_class  # noqa: B018
    for path, raised in (("subprocess.run", ValueError), ("does.not.exist", ImportError)):
        object.__setattr__(error, "exception_class_path", path)
        with pytest.raises(raised, match=path.partition(".")[0]):
            error.exception_class  # noqa: B018


def test_a_result_compares_by_what_it_says():
    result = work.add.enqueue(1)
    copy = dataclasses.replace(result)
    assert (copy, copy is result) == (result, False)
    assert result not in (dataclasses.replace(result, id="another"), "text", 6.2, None)
    assert result != dataclasses.replace(result, status=compat.TaskResultStatus.RUNNING)
    with pytest.raises(TypeError):
        result < "text"  # noqa: B015


@pytest.mark.skipif(django.VERSION < (6, 1), reason="Django 6.1 pickles tasks.")
@pytest.mark.parametrize("reply", [{"kept": [1]}, ValueError("no")])
def test_a_finished_result_survives_pickle(reply):
    work.replies.append(reply)
    result = work.reply.enqueue()
    jobs.Worker().work_off()
    result.refresh()
    again = pickle.loads(pickle.dumps(result))
    assert (again, again._return_value) == (result, result._return_value)


def test_a_task_that_was_performed_at_once_has_no_row_to_be_read():
    with override_settings(JOBS={"DELAY_JOBS": False}):
        result = work.add.enqueue(1)
        with pytest.raises(compat.TaskResultDoesNotExist):
            work.add.get_result(result.id)
        with pytest.raises(compat.TaskResultDoesNotExist):
            in_a_loop(result.arefresh())
