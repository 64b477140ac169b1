"""A task's tries: what its result says at each of them, and which signals are sent."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

import jobs
from jobs import exceptions, transitions
from jobs.models import Job
from jobs.operator import actions
from jobs.runner import worker_runner
from jobs.store import store_for
from jobs.tasks import JobsBackend, compat
from tests.tasks import work

pytestmark = pytest.mark.django_db(transaction=True)


def worked_off(number: int = 100) -> tuple[int, int]:
    return jobs.Worker(name="w").work_off(number)


def names(told: list[Any], of: str = "") -> list[str]:
    return [name.removeprefix("task_") for name, _, result in told if of in ("", result.id)]


def test_a_task_that_succeeds_keeps_what_it_returned(told, calls):
    result = work.add.enqueue(1, b=2)
    assert worked_off() == (1, 0)
    assert calls == [("add", 1, 2)]
    assert result.status == "READY"  # as it was, until it is refreshed
    result.refresh()
    assert (result.status, result.return_value, result.is_finished) == ("SUCCESSFUL", 3, True)
    assert (result.attempts, result.worker_ids, result.errors) == (1, ["w"], [])
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert result.last_attempted_at == result.started_at
    assert names(told) == ["enqueued", "started", "finished"]
    assert {sender for _, sender, _ in told} == {JobsBackend}
    _, _, started = told[1]
    assert (started.status, started.attempts, started.is_finished) == ("RUNNING", 1, False)
    _, _, ended = told[2]
    assert (ended.status, ended.return_value, ended.worker_ids) == ("SUCCESSFUL", 3, ["w"])
    assert ended.task == work.add


def test_a_coroutine_is_awaited():
    result = work.think.enqueue({"a": [1]})
    worked_off()
    result.refresh()
    assert result.return_value == {"a": [1]}


def test_a_task_sees_its_own_try(calls):
    result = work.look.enqueue("x", "y")
    worked_off()
    assert calls == [(1, result.id, "RUNNING", ["w"], ["x", "y"])]
    result.refresh()
    assert result.return_value == 1


@pytest.mark.parametrize(
    ("returned", "kept"),
    [
        (None, None),
        ((1, (2,)), [1, [2]]),
        (b"text", "text"),
        ("\x00\ud800", "\x00\ud800"),
        (float("inf"), float("inf")),
        (2**13_999, 2**13_999),
        ({1: "one", None: 2}, {1: "one", None: 2}),
        ({"$dict": 1}, {"$dict": 1}),
        (True, True),
    ],
    ids=range(9),
)
def test_a_return_value_is_kept_exactly_as_json_has_it(returned, kept):
    work.replies.append(returned)
    result = work.reply.enqueue()
    worked_off()
    result.refresh()
    assert result.return_value == kept
    assert type(result.return_value) is type(kept)


def test_not_a_number_is_kept():
    work.replies.append([float("nan")])
    result = work.reply.enqueue()
    worked_off()
    result.refresh()
    assert result.return_value[0] != result.return_value[0]


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def broken() -> Any:
    class Broken:
        def __repr__(self) -> str:
            raise SystemExit("repr")

    return Broken()


@pytest.mark.parametrize(
    "returned",
    [
        timezone.now(),
        b"\xff",
        {1, 2},
        circle(),
        10**5_000,
        broken(),
        {"x": {(1,): 2}},
        (each for each in ()),
    ],
    ids=range(8),
)
def test_a_return_value_that_can_not_be_kept_is_one_clear_failure(returned, told):
    work.replies.append(returned)
    result = work.reply.enqueue()
    assert worked_off() == (0, 1)
    result.refresh()
    assert result.status == "FAILED"
    [error] = result.errors
    assert issubclass(error.exception_class, (TypeError, ValueError))
    assert error.traceback.strip().count("Traceback") == 1
    assert names(told) == ["enqueued", "started", "finished"]


def test_a_return_value_that_the_row_can_not_hold_is_one_clear_failure(monkeypatch):
    monkeypatch.setattr(type(store_for(Job)), "largest_row", 10_000)
    work.replies.append("x" * 10_000)
    result = work.reply.enqueue()
    assert worked_off() == (0, 1)
    result.refresh()
    [error] = result.errors
    assert "What tests.tasks.work.reply returned can't be stored" in error.traceback


def test_a_task_that_raises_has_failed_at_once(told):
    work.replies.append(ValueError("no such \x00 order \ud800"))
    result = work.reply.enqueue()
    assert worked_off() == (0, 1)
    result.refresh()
    assert (result.status, result.attempts, result.is_finished) == ("FAILED", 1, True)
    [error] = result.errors
    assert error.exception_class is ValueError
    assert error.traceback.startswith("Traceback (most recent call last):")
    assert error.traceback.rstrip().endswith("ValueError: no such \\x00 order \\ud800")
    with pytest.raises(ValueError, match="failed"):
        result.return_value  # noqa: B018
    assert result.finished_at is not None
    assert names(told) == ["enqueued", "started", "finished"]


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_nothing_that_a_task_raises_ends_the_worker(raised):
    work.replies.append(raised)
    failed, fine = work.reply.enqueue(), work.add.enqueue(1)
    assert worked_off() == (1, 1)
    failed.refresh()
    assert failed.errors[0].exception_class is type(raised)
    fine.refresh()
    assert fine.status == "SUCCESSFUL"


def test_a_failed_try_is_in_the_errors_also_after_a_success(told, calls):
    result = work.stubborn.enqueue(2)
    for tries in (1, 2):
        assert worked_off(1) == (0, 1)
        result.refresh()
        assert (result.status, result.attempts, len(result.errors)) == ("READY", tries, tries)
        assert not result.is_finished
        assert result.last_attempted_at >= result.started_at
    first = result.started_at
    assert worked_off(1) == (1, 0)
    result.refresh()
    assert (result.status, result.return_value, calls) == ("SUCCESSFUL", 3, [1, 2, 3])
    assert [error.traceback.rstrip().rpartition(": ")[2] for error in result.errors] == [
        "try 1",
        "try 2",
    ]
    assert result.worker_ids == ["w", "w", "w"]
    assert result.started_at == first < result.last_attempted_at
    assert names(told) == ["enqueued", "started", "started", "started", "finished"]


def test_the_last_try_fails_for_good_and_is_told_once(told):
    result = work.stubborn.enqueue(9)
    assert [worked_off(1) for _ in range(4)] == [(0, 1), (0, 1), (0, 1), (0, 0)]
    result.refresh()
    assert (result.status, result.attempts, len(result.errors)) == ("FAILED", 3, 3)
    assert names(told) == ["enqueued", "started", "started", "started", "finished"]
    assert len(told[-1][2].errors) == 3


def test_the_exception_is_being_handled_when_the_end_is_told():
    handled: list[Any] = []

    def receive(sender: Any, **kwargs: Any) -> None:
        handled.append(sys.exc_info()[1])

    error = ValueError("that one")
    work.replies.append(error)
    compat.signals.task_finished.connect(receive)
    try:
        work.reply.enqueue()
        worked_off()
        work.add.enqueue(1)
        worked_off()
    finally:
        compat.signals.task_finished.disconnect(receive)
    assert handled == [error, None]


@pytest.mark.parametrize("raised", [RuntimeError, SystemExit])
def test_a_receiver_that_raises_changes_nothing(raised, told):
    def receive(**kwargs: Any) -> None:
        raise raised("of a receiver")

    signals = [
        getattr(compat.signals, f"task_{name}") for name in ("enqueued", "started", "finished")
    ]
    for signal in signals:
        signal.connect(receive)
    try:
        good = work.add.enqueue(1)
        work.replies.append(ValueError("its own"))
        bad = work.reply.enqueue()
        assert worked_off() == (1, 1)
    finally:
        for signal in signals:
            signal.disconnect(receive)
    good.refresh()
    bad.refresh()
    assert (good.status, good.errors) == ("SUCCESSFUL", [])
    assert [error.exception_class for error in bad.errors] == [ValueError]


def test_a_try_beyond_its_time_is_a_failure():
    result = work.endless.enqueue()
    assert worked_off() == (0, 1)
    result.refresh()
    assert [error.exception_class for error in result.errors] == [exceptions.WorkerTimeout]


def test_a_task_that_is_cancelled_has_failed_by_a_class_of_its_own():
    result = work.add.enqueue(1)
    actions.cancel(Job.objects.get(pk=result.id))
    result.refresh()
    assert (result.status, result.attempts) == ("FAILED", 0)
    assert [error.exception_class for error in result.errors] == [exceptions.Cancelled]
    actions.retry(Job.objects.get(pk=result.id))
    result.refresh()
    assert (result.status, len(result.errors)) == ("READY", 1)
    worked_off()
    result.refresh()
    assert (result.status, result.attempts, len(result.errors)) == ("SUCCESSFUL", 1, 1)


def test_a_task_that_is_cancelled_while_it_runs_has_the_try_in_its_result(told):
    result = work.add.enqueue(1)
    job = Job.objects.reserve(jobs.Worker(name="gone"))
    running = compat.task_backends["default"].get_result(result.id)
    assert (running.status, running.worker_ids) == ("RUNNING", ["gone"])
    actions.cancel(Job.objects.get(pk=result.id))
    result.refresh()
    assert (result.status, result.worker_ids) == ("FAILED", ["gone"])
    assert jobs.Worker(name="gone").run(job) is None  # its outcome is dropped
    result.refresh()
    assert (result.status, result.attempts, len(result.errors)) == ("FAILED", 1, 1)
    assert "finished" not in names(told)


def test_many_that_are_cancelled_by_one_statement_say_so_too():
    result = work.add.enqueue(1)
    Job.objects.filter(pk=result.id).update(state="cancelled")
    result.refresh()
    assert [error.exception_class for error in result.errors] == [exceptions.Cancelled]


def test_a_worker_that_died_is_in_the_result(told):
    """Its lease has expired: the reaper, who can't load the task, records the try."""
    result = work.stubborn.enqueue(0)
    dead = jobs.Worker(name="dead")
    job = Job.objects.reserve(dead)
    assert job.runner == worker_runner("dead", 0)
    transitions.expire(job)
    assert worked_off(1) == (0, 0)
    result.refresh()
    assert (result.status, result.worker_ids) == ("READY", ["dead"])
    assert [error.exception_class for error in result.errors] == [exceptions.Lost]
    worked_off(1)
    result.refresh()
    assert (result.status, result.worker_ids, result.return_value) == (
        "SUCCESSFUL",
        ["dead", "w"],
        2,
    )


def test_a_task_that_runs_elsewhere_is_running_once_it_has_begun():
    result = work.add.enqueue(1)
    far = jobs.Worker(name="far")
    far.hands_over = True
    job = Job.objects.reserve(far)
    assert transitions.hand_over(job)
    result.refresh()
    assert (result.status, result.attempts) == ("READY", 0)
    assert transitions.register(job, "batch/1@0#x")
    result.refresh()
    assert (result.status, result.worker_ids) == ("RUNNING", ["batch/1"])


def test_a_failed_task_that_an_operator_retries_is_ready_again(told):
    work.replies.extend([ValueError("first"), "second"])
    result = work.reply.enqueue()
    worked_off()
    actions.retry(Job.objects.get(pk=result.id))
    result.refresh()
    assert (result.status, result.finished_at, len(result.errors)) == ("READY", None, 1)
    worked_off()
    result.refresh()
    assert (result.status, result.return_value, result.attempts) == ("SUCCESSFUL", "second", 2)
    assert names(told) == ["enqueued", "started", "finished", "started", "finished"]


def test_a_receiver_sees_the_result_of_a_row_that_is_deleted(told):
    work.replies.extend([{"kept": False}, ValueError("gone")])
    with override_settings(JOBS={"KEEP_RESULTS_FOR": 0, "DESTROY_FAILED_JOBS": True}):
        good, bad = work.reply.enqueue(), work.reply.enqueue()
        worked_off()
    ended = {result.id: result for name, _, result in told if name == "task_finished"}
    assert ended[good.id].return_value == {"kept": False}
    assert [error.exception_class for error in ended[bad.id].errors] == [ValueError]
    assert (ended[bad.id].status, ended[bad.id].attempts) == ("FAILED", 1)
    for result in (good, bad):
        with pytest.raises(compat.TaskResultDoesNotExist):
            result.refresh()


def test_results_are_pruned_after_their_time_and_others_after_theirs():
    from tests.samples import Record

    def age(pk: Any, **ago: float) -> None:
        Job.objects.filter(pk=pk).update(finished_at=timezone.now() - dt.timedelta(**ago))

    with override_settings(JOBS={"KEEP_SUCCEEDED_FOR": 3600, "KEEP_RESULTS_FOR": 7200}):
        tasks = [work.add.enqueue(number).id for number in range(3)]
        others = [jobs.enqueue(Record(number)).pk for number in range(2)]
        worked_off()
        age(tasks[0], hours=3)
        age(tasks[1], hours=1.5)
        age(others[0], hours=1.5)
        jobs.Worker()._reaper.forget_succeeded()
    assert {str(job.pk) for job in Job.objects.all()} == {tasks[1], tasks[2], str(others[1])}


def test_pruning_finds_what_ends_between_two_looks():
    with override_settings(JOBS={"KEEP_RESULTS_FOR": 60}):
        reaper = jobs.Worker()._reaper
        reaper.forget_succeeded()
        result = work.add.enqueue(1)
        worked_off()
        soon = timezone.now() - dt.timedelta(seconds=90)
        Job.objects.filter(pk=result.id).update(finished_at=soon)
        reaper._forgot_at = float("-inf")
        reaper.forget_succeeded()
    assert not Job.objects.exists()


def test_a_task_whose_function_is_gone_fails_like_any_job_that_can_not_be_loaded(told, monkeypatch):
    result = work.add.enqueue(1)
    monkeypatch.delattr(work, "add")
    backend = compat.task_backends["default"]
    waiting = backend.get_result(result.id)
    assert (waiting.status, waiting.task.module_path) == ("READY", "tests.tasks.work.add")
    with pytest.raises(exceptions.NotKnownYet):
        waiting.task.call()
    with override_settings(JOBS={"DEPLOY_WINDOW": 0}):
        assert worked_off() == (0, 1)
    ended = backend.get_result(result.id)
    assert (ended.status, ended.attempts) == ("FAILED", 1)
    assert [error.exception_class for error in ended.errors] == [exceptions.NotKnownYet]
    assert names(told) == ["enqueued", "finished"]


def test_arguments_that_do_not_fit_the_function_any_more_are_a_failure():
    result = work.think.enqueue("x", unknown=1)
    worked_off()
    result.refresh()
    assert [error.exception_class for error in result.errors] == [TypeError]


def test_a_task_of_a_queue_or_a_backend_that_is_gone_is_performed_all_the_same(told):
    one = {"default": {"BACKEND": "jobs.tasks.JobsBackend", "QUEUES": ["one"]}}
    two = {**one, "two": {"BACKEND": "jobs.tasks.JobsBackend", "QUEUES": ["mail"]}}
    with override_settings(TASKS=two):
        result = work.mail.using(backend="two").enqueue(x=1)
    with override_settings(TASKS=one):
        assert worked_off() == (1, 0)
        found = compat.task_backends["default"].get_result(result.id)
    assert (found.status, found.return_value, found.backend) == ("SUCCESSFUL", {"x": 1}, "two")
    assert (found.task.queue_name, found.task.backend) == ("mail", "two")
    assert names(told) == ["enqueued", "started", "finished"]


def test_a_row_that_somebody_wrote_has_a_result_but_nothing_of_it_is_imported():
    result = work.add.enqueue(1)
    forged = Job.objects.get(pk=result.id).handler.replace("work.add", "evil.run")
    Job.objects.filter(pk=result.id).update(handler=forged)
    found = compat.task_backends["default"].get_result(result.id)
    assert (found.status, found.args, found.task.module_path) == (
        "READY",
        [],
        "tests.tasks.work.add",
    )
    worked_off()
    found = compat.task_backends["default"].get_result(result.id)
    assert [error.exception_class for error in found.errors] == [exceptions.DeserializationError]


def test_tasks_are_performed_by_priority_then_by_time(calls):
    soon = timezone.now() - dt.timedelta(minutes=1)
    for priority, value in ((0, "c"), (-100, "e"), (100, "a"), (1, "b"), (0, "d")):
        work.add.using(priority=priority).enqueue(value, b="")
    work.add.using(priority=100, run_after=soon).enqueue("first", b="")
    work.add.using(run_after=timezone.now() + dt.timedelta(hours=1)).enqueue("later")
    assert worked_off() == (6, 0)
    assert [value for _, value, _ in calls] == ["first", "a", "b", "c", "d", "e"]


def test_every_station_is_logged_as_the_reference_backends_do(caplog):
    caplog.set_level("DEBUG", logger=compat.NAME)
    good = work.add.enqueue(1)
    work.replies.append(ValueError("logged"))
    bad = work.reply.enqueue()
    worked_off()
    records = [each for each in caplog.records if each.name == compat.NAME]
    said = [(each.levelname, each.getMessage()) for each in records]
    assert said == [
        ("DEBUG", f"Task id={good.id} path=tests.tasks.work.add enqueued backend=default"),
        ("DEBUG", f"Task id={bad.id} path=tests.tasks.work.reply enqueued backend=default"),
        ("INFO", f"Task id={good.id} path=tests.tasks.work.add state=RUNNING"),
        ("INFO", f"Task id={good.id} path=tests.tasks.work.add state=SUCCESSFUL"),
        ("INFO", f"Task id={bad.id} path=tests.tasks.work.reply state=RUNNING"),
        ("ERROR", f"Task id={bad.id} path=tests.tasks.work.reply state=FAILED"),
    ]
    assert [each.exc_info[0] for each in records if each.exc_info] == [ValueError]


@pytest.mark.parametrize(
    "text", ["x", "[]", "5", "{", '{"errors": 5}', '{"errors": [{}]}', '{"worker_ids": {}}']
)
def test_a_result_that_somebody_broke_stops_nobody(text):
    result = work.add.enqueue(1)
    Job.objects.filter(pk=result.id).update(result=text)
    assert work.add.get_result(result.id).attempts == 0
    assert worked_off() == (1, 0)
    assert work.add.get_result(result.id).return_value == 1


def test_an_error_of_no_module_at_all_is_one_that_can_not_be_found():
    result = work.add.enqueue(1)
    said = '{"errors":[{"class":"..Odd","traceback":""}],"worker_ids":[]}'
    Job.objects.filter(pk=result.id).update(result=said, state="failed")
    [error] = work.add.get_result(result.id).errors
    with pytest.raises(ImportError):
        error.exception_class  # noqa: B018


def test_errors_are_bounded_and_none_is_left_out():
    from jobs import results

    result = work.add.enqueue(1)
    job = Job.objects.get(pk=result.id)
    job.runner = "w@1"
    for number in range(100):
        job.result = results.after_failure(
            job, "builtins.ValueError", f"{'x' * 20_000}\nValueError: {number}"
        )
    Job.objects.filter(pk=job.pk).update(result=job.result)
    result.refresh()
    assert (len(result.errors), result.attempts) == (100, 100)
    assert result.errors[0].traceback == "ValueError: 0"
    assert len(result.errors[-1].traceback) > 20_000
    assert len(job.result) < 250_000


def test_with_delay_jobs_off_a_task_is_performed_at_once(told, calls):
    with override_settings(JOBS={"DELAY_JOBS": False}):
        good = work.add.enqueue(1, b=2)
        assert (good.status, good.return_value, good.attempts) == ("SUCCESSFUL", 3, 1)
        work.replies.append(ValueError("at once"))
        bad = work.reply.enqueue()
        assert bad.status == "FAILED"
        assert [error.exception_class for error in bad.errors] == [ValueError]
        assert names(told, good.id) == names(told, bad.id) == ["enqueued", "started", "finished"]
        with pytest.raises(TypeError):
            work.add.enqueue(timezone.now())
        with pytest.raises(compat.TaskResultDoesNotExist):
            good.refresh()
        work.replies.append(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            work.reply.enqueue()
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "broken",
    [
        {"state": "lost"},
        {"name": ""},
        {"name": "no path"},
        {"handler": ""},
        {"handler": "[]", "signature": ""},
        {"priority": 2**31 - 1},
        {"runner": "@"},
        {"state": "detached", "runner": ""},
        {"state": "running", "runner": "", "locked_by": ""},
        {"state": "failed"},
        {"result": '{"errors":[{"class":"no.such.Error","traceback":""}],"worker_ids":[]}'},
    ],
)
def test_a_row_that_somebody_wrote_has_a_result_all_the_same(broken):
    result = work.add.enqueue(1)
    Job.objects.filter(pk=result.id).update(**broken)
    found = compat.task_backends["default"].get_result(result.id)
    assert found.status in compat.TaskResultStatus
    assert found.is_finished == (broken.get("state") in ("failed", "lost"))
    assert isinstance(found.task.module_path, str)
    if found.is_finished:
        assert found.errors[-1].exception_class is exceptions.JobError


def test_a_forged_return_value_has_no_row_read(monkeypatch):
    from jobs.payloads import instances

    monkeypatch.setattr(instances, "read", lambda *args: pytest.fail("It was read."))
    result = work.add.enqueue(1)
    forged = '{"errors":[],"worker_ids":[],"return_value":{"$model":["jobs.job",1]}}'
    Job.objects.filter(pk=result.id).update(state="succeeded", result=forged)
    result.refresh()
    assert (result.status, result.return_value) == ("SUCCESSFUL", None)
