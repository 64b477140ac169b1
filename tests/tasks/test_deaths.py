"""Tasks while answers are lost and workers are killed."""

from __future__ import annotations

import signal

import pytest

import jobs
from jobs import exceptions
from jobs.models import Job
from jobs.store import store_for
from tests.processes import expire_leases, wait_for
from tests.tasks import work

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_result_whose_write_lost_its_answer_is_recorded_once(lose_reply, told):
    result = work.add.enqueue(1)
    worker = jobs.Worker(name="w")
    job = Job.objects.reserve(worker)
    lose_reply("change")
    assert worker.run(job) is True
    result.refresh()
    assert (result.status, result.return_value, result.attempts) == ("SUCCESSFUL", 1, 1)
    assert [name for name, *_ in told].count("task_finished") == 1


def test_a_result_whose_step_to_the_next_job_lost_its_answer_is_recorded_once(lose_reply, told):
    if not store_for(Job).ends_and_claims:
        pytest.skip("On this database these are two statements.")
    first, second = work.add.enqueue(1), work.add.enqueue(2)
    lose_reply("end_and_claim")
    assert jobs.Worker(name="w").work_off() == (2, 0)
    for result, returned in ((first, 1), (second, 2)):
        result.refresh()
        assert (result.return_value, result.worker_ids) == (returned, ["w"])
    assert [name for name, *_ in told].count("task_finished") == 2


def test_a_failure_whose_write_lost_its_answer_is_recorded_once(lose_reply, told):
    work.replies.append(ValueError("once"))
    result = work.reply.enqueue()
    worker = jobs.Worker(name="w")
    job = Job.objects.reserve(worker)
    lose_reply("change")
    assert worker.run(job) is False
    result.refresh()
    assert (result.status, result.attempts, len(result.errors)) == ("FAILED", 1, 1)
    assert [name for name, *_ in told].count("task_finished") == 1


def test_a_try_whose_worker_was_killed_is_in_the_result_of_the_next(start, tmp_path):
    result = work.dies_once.enqueue(str(tmp_path / "died"))
    first = start("jobworker", "--name", "first")
    assert first.wait() == -signal.SIGKILL
    assert not result.is_finished
    expire_leases()
    start("jobworker", "--name", "second")
    result.wait(180)
    assert (result.status, result.return_value) == ("SUCCESSFUL", "alive")
    assert result.worker_ids == ["first", "second"]
    assert [error.exception_class for error in result.errors] == [exceptions.Lost]


def test_a_task_whose_last_worker_was_killed_has_failed_and_the_reaper_tells(start):
    result = work.die.enqueue()
    first = start("jobworker", "--name", "first")
    assert first.wait() == -signal.SIGKILL
    expire_leases()
    second = start("jobworker", "--name", "second")
    result.wait(180)
    assert (result.status, result.worker_ids) == ("FAILED", ["first"])
    assert [error.exception_class for error in result.errors] == [exceptions.Lost]
    # Its receivers, such as those that log, are called in a process apart.
    wait_for(lambda: f"id={result.id} path=tests.tasks.work.die state=FAILED" in second.output)


def test_a_task_that_nothing_interrupts_has_failed_when_its_process_is_ended(start):
    result = work.stuck.enqueue()
    only = start("jobworker", "--name", "only")
    assert only.wait() == -signal.SIGKILL
    result.wait(180)
    assert (result.status, result.worker_ids) == ("FAILED", ["only"])
    assert [error.exception_class for error in result.errors] == [exceptions.WorkerTimeout]
