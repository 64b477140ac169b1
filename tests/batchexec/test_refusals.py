"""What AWS refuses is told apart by whose fault it is: a job's own choice fails that
job's attempt, and the settings' has the jobs wait. Nobody else waits for either.
"""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from django.core.management import call_command

import jobs
from batchexec.handover.delays import MOST_DENIALS
from batchexec.models import BatchJob
from batchexec.process import standstill
from jobs.models import State
from tests.batchexec.places import add_definition, add_queue, asking
from tests.processes import expire_leases, lines, released, row, wait_for
from tests.samples import Append

pytestmark = pytest.mark.django_db(transaction=True)

LOOKING = ["batch:Describe*", "batch:List*"]


def allowing(*actions: str, resource: Any = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


@pytest.fixture
def with_policy(worker, monkeypatch, local_batch):
    """A local AWS Batch whose user may do only that, in place of `batch`."""

    def started(*statements: dict[str, Any]) -> Any:
        policy = {"Version": "2012-10-17", "Statement": [allowing(*LOOKING), *statements]}
        server = local_batch(start_delay=0.05, stop_grace=2, max_running=8, policy=policy)
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", server.url)
        return server

    return started


def tagged(path: Any, number: int, **batch: Any) -> Append:
    return asking(path, f"job {number}", **batch)


@pytest.mark.parametrize(
    ("own", "statement", "named"),
    [
        (
            {"tags": {"team": "a"}},
            allowing("batch:SubmitJob"),
            "batch:TagResource",
        ),
        (
            {"queue": "elsewhere"},
            {
                "Effect": "Allow",
                "Action": "batch:SubmitJob",
                "NotResource": "arn:aws:batch:*:*:job-queue/elsewhere",
            },
            "job-queue/elsewhere",
        ),
        (
            {"definition": "another"},
            {
                "Effect": "Allow",
                "Action": "batch:SubmitJob",
                "NotResource": "arn:aws:batch:*:*:job-definition/another*",
            },
            "job-definition/another",
        ),
    ],
)
def test_jobs_that_are_denied_hold_up_no_other_and_fail_their_attempt_with_awss_sentence(
    with_policy, worker, tmp_path, client_of, own, statement, named
):
    managing = allowing("batch:CreateJobQueue", "batch:RegisterJobDefinition")
    batch = with_policy(statement, managing)
    add_queue(client_of(batch), "elsewhere")
    add_definition(client_of(batch), "another")
    log = tmp_path / "log"
    denied = jobs.enqueue_many([tagged(log, number, **own) for number in range(10)])
    good = jobs.enqueue_many([tagged(log, 10 + number) for number in range(5)])
    assert worker(concurrency=15).work_off() == (5, 10)
    assert [row(job) for job in good] == 5 * [None]
    assert sorted(lines(log)) == [f"job {number}" for number in range(10, 15)]
    for job in denied:
        assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 1, 1)
        assert "is not authorized to perform" in row(job).last_error
        assert named in row(job).last_error
    assert batch.calls()["counts"]["SubmitJob"] == 5 + MOST_DENIALS * 10
    assert not BatchJob.objects.exists()


def test_ten_jobs_that_wait_for_aws_hold_up_no_submission(
    with_policy, worker, tmp_path, monkeypatch
):
    """The ten places of the entrance are free while those that are denied pause."""
    monkeypatch.setattr("batchexec.handover.delays.MOST_DENIALS", 1_000_000)
    with_policy(allowing("batch:SubmitJob"))
    log = tmp_path / "log"
    denied = jobs.enqueue_many([tagged(log, number, tags={"a": "b"}) for number in range(10)])
    working = worker(concurrency=11)
    reasons: list[str] = []

    def stop_once_the_good_one_is_done() -> bool:
        waiting = BatchJob.objects.exclude(status_reason="")
        if waiting.count() == 10 and not reasons:
            reasons.extend(waiting.values_list("status_reason", flat=True))
            jobs.enqueue(tagged(log, 10))
        if lines(log):
            working.stop()
        return bool(lines(log))

    with released(tmp_path / "done", once=stop_once_the_good_one_is_done):
        working.start()
    assert lines(log) == ["job 10"]
    assert all("batch:TagResource" in reason for reason in reasons)
    for job in denied:
        assert (row(job).state, row(job).attempts, row(job).epoch) == (State.DETACHED, 0, 0)


def test_without_any_right_to_submit_all_wait_at_no_cost_and_it_is_said_once(
    with_policy, worker, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(standstill, "LONGEST_PAUSE", 1.0)
    batch = with_policy()
    log = tmp_path / "log"
    waiting = jobs.enqueue_many([tagged(log, number) for number in range(12)])
    working, began = worker(concurrency=12), time.monotonic()

    def allow_once_all_wait() -> bool:
        reasons = [marker.status_reason for marker in BatchJob.objects.all()]
        if len(reasons) < 12 or not all("batch:SubmitJob" in reason for reason in reasons):
            return False
        assert [row(job).attempts for job in waiting] == 12 * [0]
        batch._application._access.policy = None  # without one, everything is allowed
        return True

    with released(tmp_path / "allowed", once=allow_once_all_wait):
        assert working.work_off() == (12, 0)
    said = [
        record
        for record in caplog.records
        if "allow it to the worker's role" in record.getMessage()
    ]
    assert len(said) == 1
    assert "is not authorized to perform: batch:SubmitJob" in said[0].getMessage()
    assert sorted(lines(log)) == sorted(f"job {number}" for number in range(12))
    # While all waited, one tried each second, or nearly so.
    seconds = time.monotonic() - began
    assert batch.calls()["counts"]["SubmitJob"] < 12 + 12 + 12 + seconds


def checked() -> str:
    """What `jobs check` says of jobs that have waited at all."""
    output = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("jobs", "check", "--max-age", "0", stdout=output, stderr=output)
    return output.getvalue()


def disable(client: Any, name: str, state: str = "DISABLED") -> None:
    client.update_job_queue(jobQueue=name, state=state)


def test_a_disabled_queue_of_the_settings_is_waited_for_and_costs_nothing(
    batch, worker, client_of, tmp_path, monkeypatch
):
    monkeypatch.setattr("batchexec.aws.catalogue.WRONG_FOR", 0.2)
    client, log = client_of(batch), tmp_path / "log"
    disable(client, "delayed-jobs")
    payload = Append(str(log))
    payload.max_attempts = 1
    job = jobs.enqueue(payload)

    def enable_once_it_waits() -> bool:
        if not BatchJob.objects.filter(
            status_reason__contains="'delayed-jobs' is disabled"
        ).exists():
            return False
        assert (row(job).state, row(job).attempts, row(job).epoch) == (State.RUNNING, 0, 0)
        assert "'delayed-jobs' is disabled" in checked()
        disable(client, "delayed-jobs", "ENABLED")
        return True

    with released(tmp_path / "enabled", once=enable_once_it_waits):
        assert worker().work_off() == (1, 0)
    assert lines(log) == ["performed"]
    assert batch.calls()["counts"]["SubmitJob"] == 1


def test_a_queue_that_is_disabled_behind_a_look_that_still_holds_costs_nothing_either(
    batch, worker, client_of, tmp_path, monkeypatch
):
    monkeypatch.setattr("batchexec.aws.catalogue.WRONG_FOR", 0.2)
    client, log = client_of(batch), tmp_path / "log"
    working = worker()
    jobs.enqueue(Append(str(log), "first"))
    assert working.work_off() == (1, 0)
    disable(client, "delayed-jobs")
    # Its own environment isn't what AWS Batch finds fault with.
    job = jobs.enqueue(asking(log, "second", environment={"COLOUR": "blue"}))

    def enable_once_it_waits() -> bool:
        if not BatchJob.objects.filter(status_reason__contains="is disabled").exists():
            return False
        assert (row(job).attempts, row(job).epoch) == (0, 0)
        disable(client, "delayed-jobs", "ENABLED")
        return True

    with released(tmp_path / "enabled", once=enable_once_it_waits):
        assert working.work_off() == (1, 0)
    assert lines(log) == ["first", "second"]


def test_a_definition_of_the_settings_that_is_gone_is_waited_for(
    batch, worker, client_of, tmp_path, monkeypatch
):
    monkeypatch.setattr("batchexec.aws.catalogue.WRONG_FOR", 0.2)
    client = client_of(batch)
    client.deregister_job_definition(jobDefinition="delayed-jobs:1")
    job = jobs.enqueue(Append(str(tmp_path / "log")))

    def register_once_it_waits() -> bool:
        if not BatchJob.objects.filter(status_reason__contains="no active job definition").exists():
            return False
        assert (row(job).attempts, row(job).epoch) == (0, 0)
        add_definition(client, "delayed-jobs")
        return True

    with released(tmp_path / "registered", once=register_once_it_waits):
        assert worker().work_off() == (1, 0)


@pytest.mark.parametrize("own", [{"queue": "mine"}, {"definition": "mine"}])
def test_a_jobs_own_queue_or_definition_that_is_unusable_fails_its_attempt(
    batch, worker, client_of, tmp_path, own
):
    client = client_of(batch)
    if "queue" in own:
        add_queue(client, "mine")
        disable(client, "mine")
    else:
        client.deregister_job_definition(jobDefinition=add_definition(client, "mine"))
    job = jobs.enqueue(tagged(tmp_path / "log", 1, **own))
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert "'mine'" in row(job).last_error
    assert "SubmitJob" not in batch.calls()["counts"]


def test_a_worker_that_dies_while_its_job_waits_leaves_it_to_the_next(
    batch, start, heir, settings, client_of, tmp_path
):
    client, log = client_of(batch), tmp_path / "log"
    disable(client, "delayed-jobs")
    add_queue(client, "another")
    job = jobs.enqueue(Append(str(log)))
    # Its pre-flight is right; the queue is disabled only afterwards.
    disable(client, "delayed-jobs", "ENABLED")
    batch.set_faults(["SubmitJob:403:code=AccessDeniedException"])
    first = start("jobworker", "--batch")
    wait_for(lambda: BatchJob.objects.exclude(status_reason="").exists(), what="it waits")
    first.kill()
    expire_leases()
    disable(client, "delayed-jobs")
    batch.set_faults([])
    # The next one's settings name another queue, and the job goes there.
    settings.BATCHEXEC = {**settings.BATCHEXEC, "JOB_QUEUE": "another"}
    heir()
    wait_for(lambda: row(job) is None, what="the heir submitted it")
    assert lines(log) == ["performed"]
    assert [one["reply"] for one in batch.calls()["submissions"] if one["accepted"]] == [200]
