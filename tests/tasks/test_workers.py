"""Workers and `jobs prune` on tasks: which they take, leave, keep and delete."""

from __future__ import annotations

import datetime as dt
import io
import signal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

import jobs
from jobs import exceptions
from jobs.models import Job
from jobs.tasks import compat
from tests.processes import wait_for
from tests.tasks import work

pytestmark = pytest.mark.django_db(transaction=True)


def worked_off(number: int = 100, **options: Any) -> tuple[int, int]:
    return jobs.Worker(name="w", **options).work_off(number)


def statuses(*results: Any) -> list[str]:
    for result in results:
        result.refresh()
    return [str(result.status) for result in results]


@pytest.mark.parametrize(
    ("queues", "done"),
    [
        (None, ["a", "b", "c"]),
        (["a"], ["a"]),
        (["a", "c"], ["a", "c"]),
        (["other"], []),
    ],
)
def test_a_worker_takes_the_tasks_of_its_queues(queues, done):
    results = {name: work.nothing.using(queue_name=name).enqueue() for name in "abc"}
    assert worked_off(queues=queues) == (len(done), 0)
    for name, result in results.items():
        assert statuses(result) == ["SUCCESSFUL" if name in done else "READY"]


def test_without_tasks_there_is_nothing_to_do():
    assert worked_off() == (0, 0)


def test_a_worker_stops_after_as_many_tasks_as_it_was_told():
    results = [work.nothing.enqueue() for _ in range(5)]
    assert worked_off(2) == (2, 0)
    assert sorted(statuses(*results)) == [*["READY"] * 3, *["SUCCESSFUL"] * 2]


def test_failures_and_successes_are_worked_off_together():
    work.replies.append(ValueError("no"))
    results = [work.nothing.enqueue(), work.reply.enqueue(), work.nothing_async.enqueue()]
    assert worked_off() == (2, 1)
    assert statuses(*results) == ["SUCCESSFUL", "FAILED", "SUCCESSFUL"]


def test_a_task_waits_for_its_time():
    result = work.nothing.using(run_after=timezone.now() + dt.timedelta(hours=10)).enqueue()
    assert (worked_off(), statuses(result)) == ((0, 0), ["READY"])
    jobs.reschedule(result.id)
    assert (worked_off(), statuses(result)) == ((1, 0), ["SUCCESSFUL"])


def test_a_task_gets_the_context_with_its_result_and_attempt():
    given: list[Any] = []
    work.replies.append(lambda context: given.append(context))
    result = work.with_context.enqueue(1)
    assert worked_off() == (1, 0)
    (context,) = given
    assert isinstance(context, compat.TaskContext)
    assert (context.attempt, context.task_result.id) == (1, result.id)
    assert (context.task_result.args, context.task_result.status) == ([1], "RUNNING")


@pytest.mark.parametrize(
    ("raised", "ends_with"),
    [
        (ValueError(ValueError("inner")), "ValueError: inner\n"),
        (SystemExit("left"), "SystemExit: left\n"),
        (KeyboardInterrupt("keys"), "KeyboardInterrupt: keys\n"),
        (exceptions.Cancelled("own"), "jobs.exceptions.Cancelled: own\n"),
        (GeneratorExit("closed"), "GeneratorExit: closed\n"),
    ],
    ids=["nested", "exit", "interrupt", "ours", "close"],
)
def test_whatever_a_task_raises_is_its_error(raised, ends_with):
    work.replies.append(raised)
    result = work.reply.enqueue()
    assert (worked_off(), statuses(result)) == ((0, 1), ["FAILED"])
    (error,) = result.errors
    assert error.exception_class is type(raised)
    assert error.traceback.endswith(ends_with)
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert result._return_value is None


def test_a_task_that_calls_exit_has_failed():
    result = work.leave.enqueue()
    assert (worked_off(), statuses(result)) == ((0, 1), ["FAILED"])
    assert result.errors[0].exception_class is SystemExit


def test_a_task_whose_process_is_told_twice_to_stop_has_failed(start, tmp_path):
    begun = tmp_path / "begun"
    result = work.endlessly.enqueue(str(begun))
    worker = start("jobworker", "--name", "only")
    wait_for(begun.exists)
    assert (statuses(result), result.worker_ids) == (["RUNNING"], ["only"])
    worker.send(signal.SIGINT)
    wait_for(lambda: "SIGINT received" in worker.output)
    assert statuses(result) == ["RUNNING"]
    worker.send(signal.SIGINT)
    assert worker.wait() == 0
    assert statuses(result) == ["FAILED"]
    assert [error.exception_class for error in result.errors] == [exceptions.Terminated]
    assert result.worker_ids == ["only"]


def prune(*options: str) -> str:
    out = io.StringIO()
    call_command("jobs", "prune", *options, "--yes", stdout=out)
    return out.getvalue()


def ended(days: float, *, queue: str = "default", raised: BaseException | None = None) -> Any:
    """A task that ended so many days ago."""
    work.replies.append(raised)
    result = work.reply.using(queue_name=queue).enqueue()
    worked_off()
    finished_at = timezone.now() - dt.timedelta(days=days)
    Job.objects.filter(pk=result.id).update(finished_at=finished_at)
    return result


def kept(*results: Any) -> list[bool]:
    there = {str(pk) for pk in Job.objects.values_list("pk", flat=True)}
    return [result.id in there for result in results]


def test_only_tasks_that_have_ended_are_pruned():
    old, ready = ended(1), work.nothing.enqueue()
    running = work.nothing.enqueue()
    Job.objects.filter(pk=running.id).update(state="running")
    prune("--older-than", "0s")
    assert kept(old, ready, running) == [False, True, True]
    with pytest.raises(compat.TaskResultDoesNotExist):
        old.refresh()
    ready.refresh()


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--older-than", "5d"], [True, True, True, True]),
        (["--older-than", "2d"], [True, False, False, False]),
        (["--older-than", "0s"], [False, False, False, False]),
        (["--older-than", "2d", "--queue", "mail"], [True, True, False, True]),
        (["--older-than", "2d", "--state", "succeeded"], [True, False, False, True]),
        (["--older-than", "2d", "--state", "failed"], [True, True, True, False]),
        (["--older-than", "0s", "--dry-run"], [True, True, True, True]),
    ],
    ids=range(7),
)
def test_what_is_pruned_goes_by_age_queue_and_end(options, left, settings):
    settings.JOBS = {"KEEP_RESULTS_FOR": 10 * 86_400}  # the workers here prune, too
    results = [ended(1), ended(3), ended(3, queue="mail"), ended(3, raised=ValueError("no"))]
    prune(*options)
    assert kept(*results) == left
