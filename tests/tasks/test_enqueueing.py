"""From a task to a row: what is stored, what is refused, what comes back at once."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import json
import pickle
from typing import Any

import django
import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from jobs.models import Job
from jobs.tasks import JobsBackend, compat
from tests.tasks import work
from tests.tasks.loops import in_a_loop

pytestmark = pytest.mark.django_db(transaction=True)


def kind(value: Any) -> str:
    """In a test's id: some of the values can't be shown."""
    return getattr(value, "__name__", type(value).__name__)


def row(result: Any) -> Job:
    return Job.objects.get(pk=result.id)


def test_a_task_is_a_row_with_the_names_priority_and_path_of_the_task(told):
    result = work.mail.enqueue(order=42)
    job = row(result)
    assert (job.name, job.queue, job.priority) == ("tests.tasks.work.mail", "mail", -7)
    fields = json.loads(job.handler)["fields"]
    assert fields["function"] == "tests.tasks.work.mail"
    assert (fields["args"], fields["kwargs"]) == ([], {"order": 42})
    assert (job.state, job.max_attempts, job.result) == ("ready", 1, "{}")
    assert result.task is work.mail
    assert (result.status, result.attempts, result.errors) == ("READY", 0, [])
    assert (result.args, result.kwargs, result.backend) == ([], {"order": 42}, "default")
    assert result.started_at is result.finished_at is result.last_attempted_at is None
    assert (timezone.now() - result.enqueued_at).total_seconds() < 60
    assert not result.is_finished
    with pytest.raises(ValueError, match="not finished"):
        result.return_value  # noqa: B018
    assert [(name, sender, each.id) for name, sender, each in told] == [
        ("task_enqueued", JobsBackend, result.id)
    ]


def test_a_result_is_read_again_as_it_was_enqueued():
    later = timezone.now() + dt.timedelta(hours=1)
    result = work.add.using(priority=-100, queue_name="slow", run_after=later).enqueue(
        [1], b={"x": None}
    )
    again = work.add.get_result(result.id)
    assert abs(again.enqueued_at - result.enqueued_at) < dt.timedelta(milliseconds=1)
    assert dataclasses.replace(again, enqueued_at=result.enqueued_at) == result
    assert again.task == result.task
    assert (again.task.run_after, again.task.priority, again.task.queue_name) == (
        later,
        -100,
        "slow",
    )
    assert row(result).state == "scheduled"
    again.refresh()
    assert again == in_a_loop(_read(work.add, result.id))


async def _read(task: Any, result_id: str) -> Any:
    result = await task.aget_result(result_id)
    await result.arefresh()
    return result


def test_a_task_is_enqueued_from_a_loop(told):
    async def enqueue() -> Any:
        return await work.think.aenqueue("x")

    result = in_a_loop(enqueue())
    assert row(result).name == "tests.tasks.work.think"
    assert [name for name, *_ in told] == ["task_enqueued"]


class Colour(str, enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ((1, 2), [1, 2]),
        (b"bytes", "bytes"),
        (Colour.RED, "red"),
        (enum.IntEnum("Number", "ONE").ONE, 1),
        (True, True),
        (range(3), [0, 1, 2]),
        ({b"key": (None,)}, {"key": [None]}),
        ("\x00 and \ud800", "\x00 and \ud800"),
        (2**13_999, 2**13_999),
        (float("inf"), float("inf")),
        ({1: "one"}, {1: "one"}),
        ({"$set": [1]}, {"$set": [1]}),
    ],
    ids=kind,
)
def test_an_argument_is_kept_exactly_as_json_has_it(given, stored):
    result = work.add.enqueue(given)
    assert result.args == [stored]
    again = work.add.get_result(result.id)
    assert again.args == [stored]
    assert type(again.args[0]) is type(stored)


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep(levels: int) -> Any:
    found: Any = "x"
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (timezone.now(), TypeError),
        (object(), TypeError),
        ({1, 2}, TypeError),
        ({(1, 2): 3}, TypeError),
        (b"\xff", ValueError),
        (circle(), TypeError),
        (deep(5_000), TypeError),
        (10**5_000, TypeError),
        (Job(), TypeError),
    ],
    ids=kind,
)
def test_what_json_has_no_counterpart_for_is_refused_and_a_transaction_goes_on(given, error, told):
    with transaction.atomic():
        with pytest.raises(error, match=r"tests\.tasks\.work\.add"):
            work.add.enqueue(given)
        kept = work.add.enqueue(1)
    assert [str(job.pk) for job in Job.objects.all()] == [kept.id]
    assert len(told) == 1


@pytest.mark.skipif(not connection.features.supports_transactions, reason="it has none")
def test_a_task_that_is_rolled_back_was_never_enqueued():
    with transaction.atomic():
        work.add.enqueue(1)
        transaction.set_rollback(True)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"priority": 101},
        {"priority": -101},
        {"priority": 1.5},
        {"run_after": dt.datetime(2030, 1, 1)},
        {"run_after": dt.datetime.max.replace(tzinfo=dt.timezone.utc)},
        {"queue_name": "x" * 256},
        {"queue_name": "\x00"},
        {"queue_name": 5},
    ],
)
def test_a_task_that_can_not_be_performed_so_is_invalid(changes):
    with pytest.raises(compat.InvalidTask):
        work.add.using(**changes)


@override_settings(TASKS={"default": {"BACKEND": "jobs.tasks.JobsBackend", "QUEUES": ["one"]}})
def test_a_queue_that_the_settings_do_not_name_is_invalid_when_it_is_enqueued():
    with pytest.raises(compat.InvalidTask, match="default"):
        work.add.enqueue(1)
    with pytest.raises(compat.InvalidTask, match="two"):
        work.task(queue_name="two")(work.plain)
    assert not Job.objects.exists()
    assert row(work.task(queue_name="one")(work.plain).enqueue(1)).queue == "one"


def test_a_function_that_no_worker_would_find_is_invalid():
    def local() -> None:
        pass

    with pytest.raises(compat.InvalidTask):
        work.task(local)
    with pytest.raises(compat.InvalidTask, match="something else"):
        work.shadowed.enqueue()
    with pytest.raises(compat.InvalidTask, match="context"):
        work.task(takes_context=True)(work.plain)
    for wrong in (max, "text", functools.partial(work.plain, 1)):
        with pytest.raises((compat.InvalidTask, TypeError)):
            work.task()(wrong)
    assert row(work.undecorated.enqueue(3)).name == "tests.tasks.work.plain"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        "\x00",
        "\ud800",
        "9" * 100_000,
        str(2**63),
        str(2**70),
        "-1",
        " 1",
        "1 ",
        "0" * 24,
        None,
        1,
    ],
    ids=lambda wrong: repr(wrong)[:12],
)
def test_everything_that_is_no_id_names_no_result(wrong):
    work.add.enqueue(1)
    with pytest.raises(compat.TaskResultDoesNotExist):
        work.add.get_result(wrong)
    with pytest.raises(compat.TaskResultDoesNotExist):
        in_a_loop(_read(work.add, wrong))


def test_a_job_that_is_no_task_has_no_result():
    import jobs
    from tests.samples import Record

    job = jobs.enqueue(Record(1))
    with pytest.raises(compat.TaskResultDoesNotExist):
        work.add.get_result(str(job.pk))


def test_the_result_of_another_task_is_a_mismatch():
    from importlib import import_module

    result = work.add.enqueue(1)
    mismatch = import_module(f"{compat.NAME}.exceptions").TaskResultMismatch
    with pytest.raises(mismatch):
        work.mail.get_result(result.id)
    assert compat.task_backends["default"].get_result(result.id).task == work.add


def test_a_second_task_of_one_unique_key_is_the_first(told):
    first = work.invoice.enqueue(42)
    second = work.invoice.enqueue(42, note="again")
    other = work.invoice.enqueue(43)
    assert (second.id, second.args, second.kwargs) == (first.id, [42], {})
    assert other.id != first.id
    assert Job.objects.count() == 2
    assert [result.id for _, _, result in told] == [first.id, other.id]


ON_COMMIT = {
    "default": {
        "BACKEND": "jobs.tasks.JobsBackend",
        "QUEUES": [],
        "OPTIONS": {"on_commit": True},
    }
}
needs_transactions = pytest.mark.skipif(
    connection.vendor == "mongodb", reason="MongoDB has no such transactions."
)


@needs_transactions
@override_settings(TASKS=ON_COMMIT)
def test_a_task_is_stored_when_the_transaction_is_committed(told):
    with transaction.atomic():
        result = work.add.enqueue(1, b=2)
        with pytest.raises(TypeError):
            work.add.enqueue(object())
        assert (result.id, result.status, result.args) == ("", "READY", [1])
        with pytest.raises(compat.TaskResultDoesNotExist):
            result.refresh()
        assert not Job.objects.exists()
        assert told == []
    assert row(result).payload.kwargs == {"b": 2}
    assert [(name, one.id) for name, _, one in told] == [("task_enqueued", result.id)]
    with transaction.atomic():
        work.add.enqueue(3)
        transaction.set_rollback(True)
    assert Job.objects.count() == 1
    first = work.invoice.enqueue(42)
    with transaction.atomic():
        second = work.invoice.enqueue(42)
    assert second.id == first.id


@needs_transactions
@override_settings(TASKS=ON_COMMIT, JOBS={"DELAY_JOBS": False})
def test_with_delay_jobs_off_a_task_is_performed_at_the_commit(told):
    work.replies[:] = [5, ValueError("it broke")]
    with transaction.atomic():
        good, bad = work.reply.enqueue(), work.reply.enqueue()
        assert (good.status, told) == ("READY", [])
    assert (good.status, good.return_value, bad.status) == ("SUCCESSFUL", 5, "FAILED")
    assert bad.errors[0].exception_class is ValueError
    assert not Job.objects.exists()


BOTH = {
    "default": {"BACKEND": "jobs.tasks.JobsBackend", "QUEUES": []},
    "other": {
        "BACKEND": "jobs.tasks.JobsBackend",
        "OPTIONS": {
            "max_attempts": 9,
            "queues": {"mail": {"max_attempts": 6, "max_run_time": 60}},
        },
        "QUEUES": [],
    },
}


@override_settings(TASKS=BOTH)
def test_options_come_from_the_task_then_the_queue_then_the_backend():
    def said(task: Any) -> tuple[Any, Any, Any]:
        payload = row(task.enqueue()).payload
        return (
            payload.max_attempts,
            getattr(payload, "max_run_time", None),
            getattr(payload, "batch", None),
        )

    batch = {"vcpu": 1, "memory": 2048}
    assert said(work.mail) == (1, None, None)
    assert said(work.mail.using(backend="other")) == (6, 60, None)
    assert said(work.mail.using(backend="other", queue_name="x")) == (9, None, None)
    assert said(work.optioned) == (5, 7, batch)
    assert said(work.optioned.using(backend="other", queue_name="mail")) == (5, 7, batch)
    assert row(work.greet.enqueue("x")).max_attempts == 4
    result = work.mail.using(backend="other").enqueue()
    assert compat.task_backends["default"].get_result(result.id).backend == "other"


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": "3"},
        {"max_run_time": -1},
        {"unique_key": 5},
        {"reschedule_at": 5},
        {"on_commit": 1},
    ],
)
def test_an_option_that_can_not_be_meant_is_refused_at_once(wrong):
    import jobs.tasks

    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        jobs.tasks.options(**wrong)
    with pytest.raises(TypeError, match="task or a function"):
        jobs.tasks.options(max_attempts=2)(5)


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        {"retries": 1},
        {"queues": []},
        {"queues": {"mail": {"unique_key": "x"}}},
        {"max_attempts": 0},
        {"on_commit": "default"},
    ],
)
def test_wrong_options_of_a_backend_are_found_by_a_check(wrong):
    tasks = {"default": {"BACKEND": "jobs.tasks.JobsBackend", "OPTIONS": wrong}}
    with override_settings(TASKS=tasks):
        backend = compat.task_backends["default"]
        assert [each.id for each in backend.check()] == ["jobs.E011"]
        with pytest.raises(compat.InvalidTaskBackend):
            work.add.enqueue(1)
    assert compat.task_backends["default"].check() == []


def test_an_app_that_is_missing_is_found_by_a_check(settings):
    from jobs.checks import check_tasks

    assert check_tasks(None) == []
    backend = compat.task_backends["default"]
    needed = {"jobs.apps.JobsConfig", compat.APP} - {None}
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app not in needed]
    assert [each.id for each in backend.check()] == ["jobs.E010"] * len(needed)
    # The backport's own check isn't there without its app.
    assert [each.id for each in check_tasks(None)] == (["jobs.E010"] if compat.APP else [])


def test_a_task_and_its_result_survive_pickle_where_django_pickles_tasks():
    if django.VERSION < (6, 1):
        pytest.skip("Django 6.1 pickles tasks.")
    result = work.mail.enqueue(x=1)
    assert pickle.loads(pickle.dumps(result)) == result
