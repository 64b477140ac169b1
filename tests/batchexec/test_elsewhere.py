"""What `manage.py jobs` and the admin say of jobs on AWS Batch, and do to them."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

import jobs
from batchexec import markers
from batchexec.handover.slot import Slot
from batchexec.models import BatchJob
from jobs import transitions
from jobs.models import Job, State
from tests.batchexec.places import status_of
from tests.fixtures import batch_execution_of
from tests.processes import expire_leases, lines, released, row, wait_for
from tests.samples import Append, Record, Wait

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(capsys):
    def typed(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            call_command("jobs", *arguments)
            status = 0
        except SystemExit as error:
            status = int(error.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return typed


# Reserved, but not submitted


def reserved(*, handed_over: bool, minutes: int = 10) -> Job:
    job = jobs.enqueue(Record())
    long_ago = timezone.now() - dt.timedelta(minutes=minutes)
    Job.objects.filter(pk=job.pk).update(
        state=State.RUNNING,
        locked_by="worker-7",
        locked_at=timezone.now(),
        handed_over=handed_over,
        updated_at=long_ago,
    )
    return row(job)


def marked(job: Job, **fields: str) -> None:
    request = {"job_name": "n", "job_queue": "q", "job_definition": "d:1"}
    assert markers.commit_intent(job, **request) is not None
    BatchJob.objects.filter(job_id=str(job.pk)).update(**fields)


def test_check_names_the_worker_that_holds_a_job_and_has_not_submitted_it(run):
    job = reserved(handed_over=False)
    status, _, said = run("check")
    assert status == 1
    assert str(job.pk) in said
    assert "worker-7 holds it and hasn't submitted it" in said
    found = json.loads(run("check", "--json")[1])
    assert (found["ok"], found["not_begun"]) == (False, 1)
    assert run("check", "--max-age", "1h")[0] == 0


def test_check_says_why_a_job_that_was_handed_over_is_not_submitted(run):
    denied = "AccessDeniedException: not authorized to perform batch:SubmitJob"
    for _ in range(3):
        marked(reserved(handed_over=True), status_reason=denied)
    unknown = reserved(handed_over=True)
    marked(unknown)
    status, _, said = run("check")
    assert status == 1
    (one, other) = sorted(said.splitlines(), key=lambda line: denied not in line)
    assert denied in one
    assert "and 2 more have been reserved for more than 300 seconds" in one
    assert str(unknown.pk) in other


def test_check_has_no_complaint_of_a_job_that_waits_in_batch_or_runs(run):
    marked(reserved(handed_over=True), batch_job_id="b-1", state="submitted")
    running = reserved(handed_over=True)
    Job.objects.filter(pk=running.pk).update(runner="b-2/1@0#n")
    assert run("check")[0] == 0


def test_check_goes_by_the_marker_of_the_jobs_own_epoch(run):
    job = reserved(handed_over=True)
    marked(job, batch_job_id="b-1", state="submitted")
    Job.objects.filter(pk=job.pk).update(epoch=1)
    assert "worker-7 holds it" in run("check")[2]


def detached(**fields: str) -> Job:
    job = reserved(handed_over=True)
    Job.objects.filter(pk=job.pk).update(state=State.DETACHED, locked_by="")
    marked(job, **fields)
    return row(job)


def test_check_says_what_aws_batch_said_of_detached_jobs_that_have_not_started(run):
    reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too\nlarge"
    stuck = {"batch_job_id": "b-1", "state": "submitted", "status": "RUNNABLE"}
    first = detached(**stuck, status_reason=reason)
    detached(**stuck, status_reason=reason)
    detached(status_reason="The job queue 'q' is disabled: enable it, or name another.")
    detached(batch_job_id="b-2", state="submitted", status="RUNNING")
    status, _, said = run("check")
    assert status == 1
    many, *each = said.splitlines()
    assert many.startswith("4 detached jobs have waited for more than 300 seconds")
    disabled, large = sorted(each, key=lambda line: "RUNNABLE" in line)
    assert "it isn't submitted. The job queue 'q' is disabled" in disabled
    assert f"Job {first.pk}" in large
    assert "and 1 more have been detached for more than 300 seconds" in large
    assert "AWS Batch last said that it is RUNNABLE on q: MISCONFIGURATION" in large
    assert "too\\nlarge" in large


def test_check_goes_by_no_marker_of_an_older_epoch(run):
    job = detached(batch_job_id="b-1", state="submitted", status="RUNNABLE")
    Job.objects.filter(pk=job.pk).update(epoch=1)
    assert len(run("check")[2].splitlines()) == 1


# Deleted


def in_batch(start, tmp_path) -> tuple[Job, BatchJob, object]:
    """A job whose container runs, watched by a worker."""
    log = tmp_path / "log"
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    watching = start("jobworker", "--batch")
    wait_for(lambda: lines(log), what="the container began")
    # The worker may be slower than the container.
    marker = wait_for(lambda: BatchJob.objects.exclude(batch_job_id="").first())
    return job, marker, watching


def test_clear_warns_of_a_job_in_batch_and_has_it_terminated(
    run, batch, start, client_of, tmp_path
):
    job, marker, _ = in_batch(start, tmp_path)
    status, out, said = run("clear", "--state", "running", "--yes")
    assert (status, out) == (0, "1 job deleted.\n")
    assert "1 job of these may be executed in AWS Batch now" in said
    wait_for(
        lambda: status_of(client_of(batch), marker.batch_job_id) == "FAILED",
        what="the Batch job was terminated",
    )
    wait_for(lambda: not BatchJob.objects.exists(), what="its marker is cleared")
    assert row(job) is None
    assert batch.calls()["counts"]["TerminateJob"] >= 1


def test_a_job_that_is_deleted_while_it_waits_for_aws_is_not_submitted_any_more(
    run, batch, worker, settings, tmp_path, monkeypatch
):
    """Its lease is good for long, so that only its row can say so."""
    settings.JOBS = {**settings.JOBS, "LEASE": 600}
    deleted, pause = tmp_path / "deleted", Slot.pause

    def until_it_is_deleted(slot: Slot, seconds: float) -> bool:
        """The pause after the refusal; there is none before it."""
        if seconds:
            wait_for(deleted.exists)
        return pause(slot, seconds)

    monkeypatch.setattr(Slot, "pause", until_it_is_deleted)
    batch.set_faults(["SubmitJob:403:code=AccessDeniedException,times=1"])
    job = jobs.enqueue(Append(str(tmp_path / "log")))

    def deletes() -> bool:
        if not BatchJob.objects.exclude(status_reason="").exists():
            return False
        return run("clear", "--state", "running", "--yes")[0] == 0

    with released(deleted, once=deletes):
        worker().work_off()
    assert row(job) is None
    wait_for(lambda: not BatchJob.objects.exists(), what="its marker is cleared")
    assert not any(one["accepted"] for one in batch.calls()["submissions"])
    assert lines(tmp_path / "log") == []


def test_a_sweep_terminates_a_deleted_job_that_nobody_watches(
    run, batch, worker, start, client_of, tmp_path
):
    _, marker, watching = in_batch(start, tmp_path)
    watching.kill()
    assert run("clear", "--state", "running", "--yes")[0] == 0
    BatchJob.objects.update(updated_at=timezone.now() - dt.timedelta(hours=1))
    sweeper = batch_execution_of(worker()).sweeper
    wait_for(lambda: sweeper.sweep(Job), what="the marker was cleared")
    assert status_of(client_of(batch), marker.batch_job_id) == "FAILED"
    assert not BatchJob.objects.exists()


def test_a_cancelled_job_that_is_deleted_in_the_admin_is_still_terminated(
    batch, worker, start, client_of, tmp_path, admin_client
):
    job, marker, watching = in_batch(start, tmp_path)
    watching.kill()
    assert transitions.cancel(row(job))
    address = reverse("admin:jobs_job_delete", args=[job.pk])
    answer = admin_client.post(address, {"post": "yes"}, follow=True)
    assert "may still be executed in AWS Batch" in answer.content.decode()
    assert row(job) is None
    BatchJob.objects.update(updated_at=timezone.now() - dt.timedelta(hours=1))
    sweeper = batch_execution_of(worker()).sweeper
    wait_for(lambda: sweeper.sweep(Job), what="the marker was cleared")
    assert status_of(client_of(batch), marker.batch_job_id) == "FAILED"


def test_a_job_that_was_to_be_deleted_and_was_kept_after_all_goes_on(
    batch, worker, start, working, tmp_path
):
    job, marker, watching = in_batch(start, tmp_path)
    assert markers.mark_unwanted([str(job.pk)]) == 1
    watching.kill()
    expire_leases()
    BatchJob.objects.update(updated_at=timezone.now() - dt.timedelta(hours=1))
    assert batch_execution_of(worker()).sweeper.sweep(Job) == 0
    working(name="heir")
    wait_for(lambda: row(job).locked_by == "heir", what="the heir took over")
    (tmp_path / "never").touch()
    wait_for(lambda: row(job) is None and not BatchJob.objects.exists())
    assert [line.split()[0] for line in lines(tmp_path / "log")] == ["began", "ended"]
    assert sum(one["accepted"] for one in batch.calls()["submissions"]) == 1
    assert marker.batch_job_id


def test_a_batch_job_is_left_alone_if_the_settings_say_so(
    run, batch, worker, start, settings, tmp_path
):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "TERMINATE_ON_CANCEL": False}
    _, _, watching = in_batch(start, tmp_path)
    watching.kill()
    assert run("clear", "--state", "running", "--yes")[0] == 0
    BatchJob.objects.update(updated_at=timezone.now() - dt.timedelta(hours=1))
    assert batch_execution_of(worker()).sweeper.sweep(Job) == 1
    assert batch.calls()["counts"].get("TerminateJob", 0) == 0


def test_a_marker_that_cannot_be_cleared_now_keeps_no_other_from_that(worker, monkeypatch, caplog):
    """AWS Batch refuses to be asked about one of them."""
    for number in range(3):
        BatchJob.objects.create(
            job_id=f"gone-{number}",
            epoch=0,
            job_name=f"n-{number}",
            job_queue="q",
            job_definition="d:1",
            batch_job_id=f"b-{number}",
            state="unwanted" if number == 1 else "submitted",
            updated_at=timezone.now() - dt.timedelta(hours=1),
        )
    plugin = batch_execution_of(worker())

    def refuse(ids: object) -> None:
        raise OSError("not now")

    monkeypatch.setattr(plugin.client, "describe", refuse)
    assert plugin.sweeper.sweep(Job) == 2
    assert [marker.job_id for marker in BatchJob.objects.all()] == ["gone-1"]
    assert "is not cleared yet: not now" in caplog.text
