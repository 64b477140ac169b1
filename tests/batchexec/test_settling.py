"""A Batch job is over, or is no longer known: whose word counts, and whether there is
anything to settle.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import jobs
from batchexec import markers
from batchexec.aws import names
from batchexec.handover.follow import _goes_on
from batchexec.models import BatchJob
from batchexec.plugin import BatchExecution
from batchexec.process.watches import Watch
from jobs import transitions
from jobs.models import Job, State
from jobs.store import store_for
from tests.processes import LEASE, lines, released, row, wait_for
from tests.samples import Append, Sized, Wait

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "status", ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"]
)
def test_only_a_batch_job_that_ended_is_over(status):
    assert _goes_on(Watch("b-1"), {"status": status}) is (status not in ("SUCCEEDED", "FAILED"))


def test_one_that_is_unknown_is_gone_only_after_a_while(settings):
    settings.BATCHEXEC = {"GONE_AFTER": 600}
    watch = Watch("b-1")
    assert _goes_on(watch, None)
    for seconds, goes_on in ((0, True), (590, True), (610, False)):
        watch.unknown_since = watch.asked_at - seconds
        assert _goes_on(watch, None) is goes_on
    # Once it is known again, it counts for nothing how long it wasn't.
    assert _goes_on(watch, {"status": "RUNNING"})


def submit(client: Any, job: Job, *command: str) -> str:
    environment = [{"name": "JOB_ID", "value": str(job.pk)}, {"name": "JOB_EPOCH", "value": "0"}]
    reply = client.submit_job(
        jobName=names.job_name(str(job.pk), 0),
        jobQueue="delayed-jobs",
        jobDefinition="delayed-jobs:1",
        containerOverrides={"command": [*command], "environment": environment},
    )
    return str(reply["jobId"])


def left_behind(job: Job, client: Any, worker: Any, *command: str) -> BatchJob:
    """Handed over, submitted and recorded by a worker that then let go of it."""
    mine = Job.objects.reserve(worker())
    assert transitions.hand_over(mine)
    name = names.job_name(str(job.pk), 0)
    marker = markers.commit_intent(
        mine, job_name=name, job_queue="delayed-jobs", job_definition="delayed-jobs:1"
    )
    assert marker is not None
    assert markers.record_submission(marker, submit(client, job, *command))
    assert transitions.detach(mine)
    return marker


def test_of_two_batch_jobs_of_one_epoch_the_registered_one_is_followed(
    batch, worker, client_of, tmp_path
):
    log, go, client = tmp_path / "log", tmp_path / "go", client_of(batch)
    job = jobs.enqueue(Wait(str(log), str(go)))
    recorded = left_behind(job, client, worker, "false").batch_job_id
    registered = submit(client, job, "python", "manage.py", "runjob", str(job.pk))
    wait_for(lambda: lines(log), what="the other one registered and began")
    with released(go, once=lambda: BatchJob.objects.get().batch_job_id == registered):
        assert worker().work_off() == (1, 0)
    assert recorded != registered
    assert row(job) is None
    assert not BatchJob.objects.exists()


def test_a_sign_of_life_between_the_look_at_the_row_and_the_write_wins(
    batch, worker, client_of, monkeypatch, settings, tmp_path
):
    settings.JOBS = {**settings.JOBS, "LEASE": LEASE}
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    marker = left_behind(job, client_of(batch), worker, "true")
    long_ago = store_for(Job).now() - dt.timedelta(hours=1)
    Job.objects.update(runner=f"{marker.batch_job_id}/1@0#a", heartbeat_at=long_ago)
    store = store_for(Job)
    get, shown = store.get, []

    def then_it_shows_itself(pk: Any) -> Job | None:
        found = get(pk)
        if not shown:
            shown.append(store.now())
            Job.objects.filter(pk=pk).update(heartbeat_at=shown[0])
        return found

    monkeypatch.setattr(store, "get", then_it_shows_itself)
    assert worker().work_off() == (0, 1)
    # Given up all the same, after another lease of silence.
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 1, 1)
    assert (row(job).updated_at - shown[0]).total_seconds() > LEASE - 0.01
    assert not BatchJob.objects.exists()


@pytest.mark.parametrize("registers", ["before the row is read", "after the row was read"])
def test_a_submission_that_is_refused_while_a_container_registers_is_no_failed_attempt(
    batch, worker, client_of, monkeypatch, tmp_path, registers
):
    """Another worker's submission was accepted, and its container begins just when this
    one's is refused.
    """
    log, go = tmp_path / "log", tmp_path / "go"
    payload = Wait(str(log), str(go))
    payload.batch = {"queue": "no-such-queue"}
    job = jobs.enqueue(payload)
    store = store_for(Job)
    get, started = store.get, []

    def meanwhile_it_registers(pk: Any) -> Job | None:
        found = get(pk)
        if started:
            return found
        started.append(submit(client_of(batch), job, "python", "manage.py", "runjob", str(job.pk)))
        wait_for(lambda: lines(log), what="the container registered and began")
        return found if registers == "after the row was read" else get(pk)

    monkeypatch.setattr(store, "get", meanwhile_it_registers)
    with released(go, once=lambda: BatchJob.objects.filter(batch_job_id__in=started).exists()):
        assert worker().work_off() == (1, 0)
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert not BatchJob.objects.exists()


def test_a_refused_submission_leaves_no_marker(batch, worker):
    job = jobs.enqueue(Sized("x", queue="no-such-queue"))
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).epoch) == (State.SCHEDULED, 1)
    assert not BatchJob.objects.exists()


def test_a_worker_that_stops_detaches_what_is_in_batch_also_where_no_plugin_clears_its_locks(
    batch, worker, tmp_path
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    stops = jobs.Worker(plugins=[BatchExecution])

    def stop_once_it_runs() -> bool:
        if lines(log):
            stops.stop()
        return row(job).state == State.DETACHED

    with released(go, once=stop_once_it_runs):
        assert stops.work_off() == (0, 0)
    wait_for(lambda: row(job) is None, what="the container ended")
