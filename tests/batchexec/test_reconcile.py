"""`manage.py batchjobs`: what is in Batch, and what doesn't belong together."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

import jobs
from batchexec import markers
from batchexec.aws.names import job_name
from batchexec.models import BatchExecutionRecord, BatchJob
from jobs import transitions
from jobs.models import Job, State
from tests.batchexec.places import add_queue, status_of
from tests.processes import lines, released, row, wait_for
from tests.samples import Append, Wait

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def batchjobs(batch, worker, capsys):
    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        try:
            call_command("batchjobs", *arguments)
            status = 0
        except SystemExit as error:
            status = int(error.code or 0)
        return status, capsys.readouterr().out

    return run


def findings(batchjobs, *arguments: str) -> tuple[int, list[dict[str, object]]]:
    status, output = batchjobs("reconcile", "--json", *arguments)
    return status, json.loads(output)


def findings_of_listed(batchjobs) -> tuple[int, list[dict[str, object]]]:
    """Those that there are once ListJobs shows what has been submitted."""
    return wait_for(lambda: found if (found := findings(batchjobs))[1] else None)


def submit(client, job: Job, epoch: int = 0, queue: str = "delayed-jobs") -> str:
    """A Batch job as a hand-over submits it, that no marker names."""
    overrides = {
        "command": ["python", "manage.py", "runjob", str(job.pk)],
        "environment": [
            {"name": "JOB_ID", "value": str(job.pk)},
            {"name": "JOB_EPOCH", "value": str(epoch)},
        ],
    }
    name = job_name(str(job.pk), epoch)
    return client.submit_job(
        jobName=name,
        jobQueue=queue,
        jobDefinition="delayed-jobs:1",
        containerOverrides=overrides,
    )["jobId"]


def test_nothing_is_found_where_all_is_well(batchjobs):
    assert batchjobs("reconcile") == (0, "Markers, jobs and AWS Batch agree.\n")
    assert batchjobs("list") == (0, "Nothing is in AWS Batch.\n")
    assert batchjobs("list", "--json") == (0, "[]\n")
    assert batchjobs("show", "nothing")[0] == 4


def test_a_job_in_batch_is_listed_and_shown(batchjobs, working, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    working()
    wait_for(lambda: lines(log), what="the container began")
    marker = wait_for(
        lambda: BatchJob.objects.exclude(batch_job_id="").first(), what="its id was recorded"
    )
    assert str(job.pk) in batchjobs("list")[1]
    for key in (str(job.pk), marker.batch_job_id):
        status, output = batchjobs("show", key, "--json")
        assert status == 0
        assert json.loads(output)["aws_batch"]["jobName"] == marker.job_name
    assert findings(batchjobs) == (0, [])
    go.touch()
    wait_for(lambda: not BatchJob.objects.exists())


def test_a_marker_whose_execution_is_over_is_cleared_on_request_only(batchjobs, tmp_path):
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    marker = markers.commit_intent(
        job, job_name="n", job_queue="delayed-jobs", job_definition="d:1"
    )
    assert marker is not None
    job.delete()
    status, (finding,) = findings(batchjobs)
    assert (status, finding["kind"], finding["mended"]) == (1, "marker left over", False)
    assert BatchJob.objects.exists()
    status, (finding,) = findings(batchjobs, "--apply")
    assert (status, finding["mended"]) == (0, True)
    assert not BatchJob.objects.exists()


def test_a_batch_job_of_an_epoch_that_is_over_is_found(batchjobs, batch, client_of, tmp_path):
    client = client_of(batch)
    batch._scheduler.max_running = 0
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    batch_job_id = submit(client, job, epoch=7)
    status, (finding,) = findings_of_listed(batchjobs)
    assert (status, finding["kind"], finding["batch_job_id"]) == (
        1,
        "no marker names it",
        batch_job_id,
    )
    assert "is over" in str(finding["explanation"])
    assert findings(batchjobs, "--apply")[0] == 0
    wait_for(lambda: status_of(client, batch_job_id) == "FAILED")
    assert findings(batchjobs) == (0, [])


@pytest.mark.parametrize("other", ["shop-staging", "shop2", "Shop"])
def test_a_batch_job_of_another_installation_is_neither_found_nor_ended(
    batchjobs, batch, client_of, settings, tmp_path, other
):
    client = client_of(batch)
    batch._scheduler.max_running = 0
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    settings.BATCHEXEC = {**settings.BATCHEXEC, "INSTALLATION_ID": other}
    theirs = submit(client, job, epoch=7)
    settings.BATCHEXEC = {**settings.BATCHEXEC, "INSTALLATION_ID": "shop"}
    assert findings(batchjobs, "--apply") == (0, [])
    assert status_of(client, theirs) != "FAILED"


@pytest.mark.usefixtures("endless_lease")
def test_a_registered_runner_without_a_marker_gets_one(
    batchjobs, batch, client_of, worker, tmp_path
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    mine = Job.objects.reserve(worker())
    assert transitions.hand_over(mine)
    status, (finding,) = findings(batchjobs)
    assert (status, finding["kind"]) == (0, "no marker yet")
    batch_job_id = submit(client_of(batch), job)
    wait_for(lambda: lines(log))
    status, (finding,) = findings(batchjobs, "--apply")
    assert (status, finding["batch_job_id"], finding["mended"]) == (0, batch_job_id, True)
    assert BatchJob.objects.get().batch_job_id == batch_job_id
    assert transitions.detach(row(job))
    assert findings(batchjobs)[1][0]["kind"] == "nobody watches"
    with released(go, once=lambda: row(job).locked_by):
        assert worker().work_off() == (1, 0)
    assert batch.calls()["counts"]["SubmitJob"] == 1


@pytest.mark.usefixtures("endless_lease")
def test_15_after_a_restored_backup_a_running_batch_job_is_watched_before_another_is_submitted(
    batchjobs, batch, worker, start, tmp_path
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    backup = {
        field.attname: getattr(row(job), field.attname) for field in Job._meta.concrete_fields
    }
    first = start("jobworker", "--batch")
    wait_for(lambda: lines(log), what="the container began")
    first.kill()
    Job.objects.filter(pk=job.pk).delete()
    BatchJob.objects.filter(job_id=str(job.pk)).delete()
    Job(**backup).save(force_insert=True)
    status, (finding,) = findings_of_listed(batchjobs)
    assert (status, finding["kind"]) == (1, "no marker names it")
    assert "older than the truth" in str(finding["explanation"])
    assert findings(batchjobs, "--apply")[0] == 0
    assert (row(job).state, row(job).handed_over) == (State.DETACHED, True)
    with released(go, once=lambda: row(job).locked_by):
        assert worker().work_off(1) == (0, 1)
    # Its outcome could not be recorded by a runner that the row doesn't know. By the
    # row, the execution never began: it is tried again, and costs no attempt.
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 0, 1)
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert batch.calls()["counts"]["SubmitJob"] == 1


@pytest.mark.usefixtures("endless_lease")
def test_the_batch_job_of_a_cancelled_job_is_terminated_on_request(
    batchjobs, batch, client_of, worker, tmp_path
):
    log = tmp_path / "log"
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    mine = Job.objects.reserve(worker())
    assert transitions.hand_over(mine)
    batch_job_id = submit(client_of(batch), job)
    wait_for(lambda: lines(log))
    assert transitions.cancel(row(job))
    assert findings(batchjobs, "--apply")[0] == 0
    wait_for(lambda: status_of(client_of(batch), batch_job_id) == "FAILED")
    assert row(job).state == State.CANCELLED


def running(client, batchjobs_job: Job, log) -> str:
    """A Batch job of it, whose container has begun."""
    batch_job_id = submit(client, batchjobs_job)
    wait_for(lambda: lines(log), what="the container began")
    return batch_job_id


def taken(worker) -> Job:
    mine = Job.objects.reserve(worker())
    assert transitions.hand_over(mine)
    return mine


def marker_of(job: Job, batch_job_id: str) -> BatchJob:
    marker = markers.commit_intent(
        job, job_name=job_name(str(job.pk), 0), job_queue="delayed-jobs", job_definition="d:1"
    )
    assert marker is not None
    assert markers.record_submission(marker, batch_job_id)
    return marker


@pytest.mark.usefixtures("endless_lease")
def test_what_is_mended_takes_one_pass(batchjobs, batch, client_of, worker, tmp_path):
    job = jobs.enqueue(Wait(str(tmp_path / "log"), str(tmp_path / "never")))
    mine = taken(worker)
    batch_job_id = running(client_of(batch), job, tmp_path / "log")
    marker_of(mine, batch_job_id)
    assert transitions.cancel(row(job))
    status, (finding,) = findings(batchjobs, "--apply")
    assert (status, finding["kind"], finding["mended"]) == (0, "marker left over", True)
    assert status_of(client_of(batch), batch_job_id) == "FAILED"
    assert not BatchJob.objects.exists()


@pytest.mark.usefixtures("endless_lease")
def test_what_is_not_mended_is_said_with_exit_status_1(
    batchjobs, batch, client_of, worker, tmp_path, monkeypatch
):
    monkeypatch.setattr("batchexec.management.commands.batchjobs.PATIENCE", 0.0)
    job = jobs.enqueue(Wait(str(tmp_path / "log"), str(tmp_path / "never")))
    mine = taken(worker)
    marker_of(mine, running(client_of(batch), job, tmp_path / "log"))
    assert transitions.cancel(row(job))
    # As if its container took its time to end.
    monkeypatch.setattr(batch._scheduler, "terminate", lambda job_id, reason: None)
    status, output = batchjobs("reconcile", "--apply")
    assert status == 1
    assert "(not mended: terminate its Batch job, then clear the marker)" in output
    assert BatchJob.objects.exists()


@pytest.mark.usefixtures("endless_lease")
@pytest.mark.parametrize("has_marker", [True, False])
def test_a_running_batch_job_whose_row_is_gone_is_terminated_only_when_asked(
    batchjobs, batch, client_of, worker, tmp_path, has_marker
):
    job = jobs.enqueue(Wait(str(tmp_path / "log"), str(tmp_path / "never")))
    mine = taken(worker)
    client = client_of(batch)
    batch_job_id = running(client, job, tmp_path / "log")
    if has_marker:
        marker_of(mine, batch_job_id)
    Job.objects.all().delete()
    status, output = batchjobs("reconcile", "--apply")
    assert status == 1
    assert "only with --terminate" in output
    assert status_of(client, batch_job_id) in ("STARTING", "RUNNING")
    status, (finding,) = findings(batchjobs, "--apply", "--terminate")
    assert (status, finding["mended"]) == (0, True)
    assert status_of(client, batch_job_id) == "FAILED"
    assert not BatchJob.objects.exists()
    assert findings(batchjobs) == (0, [])


@pytest.mark.usefixtures("endless_lease")
def test_a_batch_job_that_failed_while_its_row_waits_for_a_lease_is_named_as_that(
    batchjobs, batch, client_of, worker, tmp_path
):
    batch.set_faults([f"Container:kill:when={tmp_path / 'lost'},times=1"])
    job = jobs.enqueue(Wait(str(tmp_path / "log"), str(tmp_path / "never")))
    mine = taken(worker)
    client = client_of(batch)
    batch_job_id = running(client, job, tmp_path / "log")
    marker_of(mine, batch_job_id)
    (tmp_path / "lost").touch()
    wait_for(lambda: status_of(client, batch_job_id) == "FAILED")
    status, (finding,) = findings(batchjobs)
    assert (status, finding["kind"], finding["batch_job_id"]) == (
        0,
        "ended in AWS Batch",
        batch_job_id,
    )
    explanation = str(finding["explanation"])
    assert "Host EC2" in explanation
    assert "silent for 36000 seconds" in explanation
    assert row(job).runner in explanation


def test_what_is_configured_wrongly_is_one_sentence(start, batch):
    for broken, said in [
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "needs a region"),
        ({"AWS_ENDPOINT_URL_BATCH": "http://127.0.0.1:9"}, "can't be asked"),
    ]:
        process = start("batchjobs", "reconcile", **broken)
        assert process.wait() == 1
        assert said in process.output
        assert "Traceback" not in process.output


class OnQueues(Append):
    """A class whose jobs go to queues that no setting names."""

    batch = {"queues": ["of-a-class", "never-made"]}


class Misdeclared(Append):
    batch = {"queues": "no list"}


@pytest.mark.parametrize("named_by", ["a job class", "a trace"])
def test_strangers_are_found_on_the_queues_that_classes_and_traces_name(
    batchjobs, batch, client_of, named_by
):
    client = client_of(batch)
    batch._scheduler.max_running = 0  # or it would be over before it is found
    queue = "of-a-class" if named_by == "a job class" else "of-a-trace"
    add_queue(client, queue)
    if named_by == "a trace":
        BatchExecutionRecord.objects.create(
            job_id="1", epoch=0, job_name="n", job_queue=queue, job_definition="d:1"
        )
    stranger = submit(client, jobs.enqueue(Append("never written")), epoch=7, queue=queue)
    status, found = findings_of_listed(batchjobs)
    assert status == 1
    assert [one["batch_job_id"] for one in found] == [stranger]


def test_a_batch_job_that_is_over_is_no_stranger_while_listjobs_is_behind(
    batchjobs, batch_with, client_of
):
    behind = batch_with()
    client = client_of(behind)
    behind._scheduler.max_running = 0
    stranger = submit(client, jobs.enqueue(Append("never written")), epoch=7)
    assert findings_of_listed(batchjobs)[1][0]["batch_job_id"] == stranger
    wait_for(lambda: status_of(client, stranger) == "RUNNABLE", what="it waits for room")
    behind._list_lag.set(36_000)
    client.terminate_job(jobId=stranger, reason="r")
    wait_for(lambda: status_of(client, stranger) == "FAILED")
    (listed,) = client.list_jobs(
        jobQueue="delayed-jobs", filters=[{"name": "JOB_NAME", "values": ["*"]}]
    )["jobSummaryList"]
    assert listed["status"] != "FAILED"
    assert findings(batchjobs) == (0, [])
