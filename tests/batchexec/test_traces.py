"""The trace of each execution on AWS Batch, and what the log says of its end."""

from __future__ import annotations

import datetime as dt
import html
import json
import logging
import math
import re
import signal
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

import jobs
from batchexec.models import BatchExecutionRecord, BatchHistory, BatchJob
from batchexec.process import traces
from jobs.models import Job, State
from jobs.operator import actions, monitoring
from jobs.process import reaper
from jobs.store import store_for
from tests.fixtures import batch_execution_of
from tests.processes import lines, row, wait_for
from tests.samples import Append, Fail, Sized, Wait

pytestmark = pytest.mark.django_db(transaction=True)


def traced(number: int = 1) -> list[BatchExecutionRecord]:
    """The traces, once there are so many."""

    def enough() -> list[BatchExecutionRecord]:
        found = list(BatchExecutionRecord.objects.order_by("job_id", "epoch"))
        return found if len(found) >= number else []

    return wait_for(enough, what=f"{number} traces")


def quiet() -> None:
    """Waits until no worker of this process polls."""
    wait_for(
        lambda: not any(one.name == "batchexec-poller" for one in threading.enumerate()),
        what="nobody polls",
    )


def said(capsys, *arguments: str) -> str:
    capsys.readouterr()
    call_command(*arguments)
    return str(capsys.readouterr().out)


def test_an_execution_that_succeeded_leaves_its_trace_when_its_row_is_gone(batch, worker, capsys):
    job = jobs.enqueue(Sized("x"))
    assert worker().work_off() == (1, 0)
    (trace,) = traced()
    (submission,) = batch.calls()["submissions"]
    assert row(job) is None
    assert (trace.job_id, trace.epoch, trace.batch_job_id) == (
        str(job.pk),
        0,
        submission["jobId"],
    )
    assert (trace.outcome, trace.status, trace.exit_code) == ("succeeded", "SUCCEEDED", 0)
    assert (trace.job_queue, trace.job_definition) == ("delayed-jobs", "delayed-jobs:1")
    assert (trace.vcpu, trace.memory) == ("0.5", "2048")
    assert trace.name == job.name
    assert trace.log_stream
    assert trace.submitted_at <= trace.started_at <= trace.stopped_at
    for key in (str(job.pk), trace.batch_job_id):
        shown = json.loads(said(capsys, "batchjobs", "show", key, "--json"))
        assert shown["executions"][0]["log_stream"] == trace.log_stream


def test_each_execution_of_a_job_leaves_one_and_people_are_shown_them(
    batch, worker, capsys, admin_client
):
    job = jobs.enqueue(Fail("it broke"))
    mine = worker()
    assert mine.work_off() == (0, 1)
    Job.objects.update(state=State.READY)
    batch.set_faults(["Container:pull-error:times=1"])
    assert mine.work_off() == (0, 1)
    first, second = traced(2)
    assert (first.epoch, first.outcome, first.status, first.exit_code, first.failure) == (
        0,
        "scheduled",
        "FAILED",
        1,
        "",
    )
    assert (second.epoch, second.failure) == (1, "image or start")
    assert "CannotPullContainerError" in second.reason
    failures = monitoring.attempts(row(job))
    # The second container never began, so its Batch job is known by its trace alone.
    assert [one.attempt.place for one in failures] == [first.batch_job_id, ""]
    assert [one.execution["batch_job_id"] for one in failures] == [
        first.batch_job_id,
        second.batch_job_id,
    ]
    assert [one.execution["log_stream"] for one in failures] == [
        first.log_stream,
        second.log_stream,
    ]
    assert failures[1].attempt.summary.startswith("Lost: ")
    output = said(capsys, "jobs", "show", str(job.pk))
    for shown in (first.batch_job_id, second.batch_job_id, first.log_stream, "AWS Batch"):
        assert shown in output
    executions = json.loads(said(capsys, "jobs", "show", str(job.pk), "--json"))["executions"]
    assert [execution["epoch"] for execution in executions] == [0, 1]
    address = reverse("admin:batchexec_batchexecutionrecord_change", args=[second.pk])
    assert "CannotPullContainerError" in admin_client.get(address).content.decode()
    page = admin_client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert "2 past Batch executions" in page
    BatchExecutionRecord.objects.create(job_id="another", epoch=0, job_name="n")
    (link,) = re.findall(r'href="([^"]*batchexecutionrecord/[?]job_id[^"]*)"', page)
    listed = admin_client.get(html.unescape(link)).context["cl"].result_list
    assert {trace.pk for trace in listed} == {first.pk, second.pk}


def test_a_worker_that_stops_writes_the_traces_that_aws_has_not_completed(
    batch_with, start, tmp_path
):
    batch, log, go = batch_with(), tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    stopped = start("jobworker", "--batch", BATCHEXEC_POLL_INTERVAL="0.5")
    wait_for(lambda: lines(log), what="the container began")
    batch.set_lag(36_000)
    go.touch()
    wait_for(lambda: row(job) is None and not BatchJob.objects.exists(), what="it was performed")
    assert not BatchExecutionRecord.objects.exists()
    stopped.send(signal.SIGTERM)
    assert stopped.wait() == 0
    trace = BatchExecutionRecord.objects.get()
    assert (trace.outcome, trace.exit_code) == ("succeeded", None)
    assert trace.status not in ("SUCCEEDED", "FAILED")


def test_an_execution_that_nobody_saw_end_is_shown_as_it_is_now(
    batch, worker, capsys, monkeypatch, admin_client
):
    """Its worker was gone before AWS Batch said its last word."""
    job = jobs.enqueue(Sized("x"))
    assert worker().work_off() == (1, 0)
    (trace,) = traced()
    unseen = {"status": "SUBMITTED", "exit_code": None, "stopped_at": None, "log_stream": ""}
    BatchExecutionRecord.objects.update(**unseen)
    address = reverse("admin:batchexec_batchexecutionrecord_change", args=[trace.pk])
    words = "AWS Batch last said SUBMITTED, before the execution ended"
    assert words in admin_client.get(address).content.decode()
    # Without AWS Batch, it is shown as it was seen last, and that this is so.
    with monkeypatch.context() as unreachable:
        unreachable.setenv("AWS_ENDPOINT_URL_BATCH", "http://127.0.0.1:9")
        with pytest.raises(CommandError, match="AWS Batch can't be asked"):
            call_command("batchjobs", "show", str(job.pk))
    assert words in capsys.readouterr().out
    shown = json.loads(said(capsys, "batchjobs", "show", str(job.pk), "--json"))["executions"][0]
    assert (shown["status"], shown["exit_code"], shown["remark"]) == ("SUCCEEDED", 0, "")
    (completed,) = BatchExecutionRecord.objects.all()
    for name in ("status", "exit_code", "started_at", "stopped_at", "log_stream", "vcpu"):
        assert getattr(completed, name) == getattr(trace, name), name
    assert words not in admin_client.get(address).content.decode()
    quiet()
    asked = batch.calls()["counts"]
    said(capsys, "batchjobs", "show", str(job.pk))
    assert batch.calls()["counts"] == asked  # nothing is left to ask


def test_a_marker_that_nobody_watches_is_shown_with_what_is_true_now(
    batch, worker, capsys, admin_client
):
    """Its job succeeded, and its row is gone, while no worker was there."""
    job = jobs.enqueue(Sized("x"))
    assert worker().work_off() == (1, 0)
    (trace,) = traced()
    marker = BatchJob.objects.create(
        job_id=str(job.pk),
        epoch=0,
        job_name=trace.job_name,
        batch_job_id=trace.batch_job_id,
        job_queue="q",
        job_definition="d:1",
        state=BatchJob.State.SUBMITTED,
        status="SUBMITTED",
    )
    shown = json.loads(said(capsys, "batchjobs", "show", str(job.pk), "--json"))
    assert (shown["status"], shown["job_state"]) == ("SUCCEEDED", "gone")
    assert shown["log_stream"] == trace.log_stream
    assert "the execution is over" in shown["remark"]
    (listed,) = json.loads(said(capsys, "batchjobs", "list", "--json"))
    assert (listed["status"], listed["job_state"]) == ("SUBMITTED", "gone")
    assert "gone" in said(capsys, "batchjobs", "list")
    address = reverse("admin:batchexec_batchjob_change", args=[marker.pk])
    assert "the execution is over" in admin_client.get(address).content.decode()
    # A row that says it is past this execution, and one that goes on unwatched.
    other = jobs.enqueue(Sized("y"))
    for epoch, words in ((1, "this execution is over"), (0, "no worker watches it now")):
        BatchJob.objects.update(job_id=str(other.pk))
        Job.objects.update(epoch=epoch, state=State.SCHEDULED)
        assert words in said(capsys, "batchjobs", "show", str(other.pk))
        page = admin_client.get(reverse("admin:jobs_job_change", args=[other.pk]))
        assert words in page.content.decode()
        assert words in said(capsys, "jobs", "show", str(other.pk))


@pytest.mark.parametrize("how", ["clear", "prune"])
def test_the_traces_go_with_their_job(batch, worker, how):
    jobs.enqueue(Fail())
    assert worker().work_off() == (0, 1)
    traced()
    BatchHistory.objects.create(job_id=BatchExecutionRecord.objects.get().job_id)
    BatchExecutionRecord.objects.create(job_id="another", epoch=0, job_name="n")
    if how == "clear":
        assert jobs.delete(state="scheduled").done == 1
    else:
        long_ago = timezone.now() - dt.timedelta(days=9)
        Job.objects.update(state=State.FAILED, finished_at=long_ago)
        assert actions.prune(dt.timedelta(days=1)) == 1
    assert [trace.job_id for trace in BatchExecutionRecord.objects.all()] == ["another"]
    assert not BatchHistory.objects.exists()


def test_old_traces_are_forgotten_by_a_sweep(worker, settings):
    for days in (1, 40):
        BatchExecutionRecord.objects.create(
            job_id=str(days),
            epoch=0,
            job_name="n",
            recorded_at=timezone.now() - dt.timedelta(days=days),
        )
    batch_execution_of(worker()).sweeper.sweep_if_due(Job)
    assert [trace.job_id for trace in BatchExecutionRecord.objects.all()] == ["1"]


def test_no_trace_is_kept_where_the_settings_say_so(batch, worker, settings, tmp_path):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "KEEP_EXECUTIONS_FOR": 0}
    mine = worker()
    jobs.enqueue(Append(str(tmp_path / "log")))
    assert mine.work_off() == (1, 0)
    batch_execution_of(mine).close()
    assert not BatchExecutionRecord.objects.exists()


def test_traces_that_the_database_refuses_harm_nothing(
    batch, worker, monkeypatch, caplog, tmp_path
):
    def refuse(*arguments: object) -> None:
        raise DatabaseError("no room for traces")

    monkeypatch.setattr(store_for(BatchExecutionRecord), "insert", refuse)
    mine = worker()
    jobs.enqueue(Append(str(tmp_path / "log")))
    assert mine.work_off() == (1, 0)
    batch_execution_of(mine).close()
    assert "could not be written: no room for traces" in caplog.text
    assert lines(tmp_path / "log") == ["performed"]


def test_traces_are_written_many_at_once_and_not_by_the_slot(batch, worker, monkeypatch, tmp_path):
    """Counted where a worker of one slot has its statements: on this thread."""
    if connection.vendor in ("mongodb", "djongo"):
        pytest.skip("Django's query log has SQL only.")
    written = []
    insert = traces.write
    monkeypatch.setattr(traces, "write", lambda many: written.append(len(many)) or insert(many))
    monkeypatch.setattr(reaper, "ODD_INTERVAL", math.inf)
    mine = worker()
    number = 5
    jobs.enqueue_many([Append(str(tmp_path / "log")) for _ in range(number)])
    with CaptureQueriesContext(connection) as captured:
        assert mine.work_off() == (number, 0)
    batch_execution_of(mine).close()
    assert sum(written) == BatchExecutionRecord.objects.count() == number
    path = [query["sql"] for query in captured]
    assert not [sql for sql in path if "batchexecutionrecord" in sql]
    # What the hand-over has always cost, and one look at the row less: the marker is
    # looked for on entering, on committing and at the end, and the row at the end.
    markers = sum(bool(re.match('SELECT .* FROM "?batchexec_batchjob', sql)) for sql in path)
    rows = sum(bool(re.match('SELECT .*"handler".* FROM "?jobs_job', sql)) for sql in path)
    assert markers == 3 * number
    assert rows <= number + 2


def test_the_log_says_of_a_job_that_failed_in_batch_what_it_says_of_any(
    batch, worker, caplog, monkeypatch
):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("JOBS_MAX_ATTEMPTS", "2")
    job = jobs.enqueue(Fail("it broke\nbadly"))
    mine = worker()
    assert mine.work_off() == (0, 1)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    (record,) = errors
    assert f"Job {job} FAILED (0 prior attempts) with RuntimeError: it broke" in record.getMessage()
    assert (record.job_id, record.epoch, record.queue) == (str(job.pk), 0, "default")
    assert record.batch_job_id == traced()[0].batch_job_id
    Job.objects.update(state=State.READY)
    caplog.clear()
    assert mine.work_off() == (0, 1)
    texts = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert f"Job {job} FAILED (1 prior attempts) with RuntimeError: it broke" in texts[0]
    assert f"Job {job} FAILED permanently with RuntimeError: it broke" in texts[1]
    assert row(job).state == State.FAILED


def test_only_jobs_that_ended_are_counted_as_processed(batch, start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    working = start("jobworker", "--batch", "--concurrency", "4")
    wait_for(lambda: lines(log), what="the container began")
    assert " processed at" not in working.output
    go.touch()
    wait_for(lambda: row(job) is None and not BatchJob.objects.exists())
    wait_for(lambda: "1 job processed" in working.output, what="the count")
