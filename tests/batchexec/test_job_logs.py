"""`manage.py jobs logs`: the CloudWatch log of what was executed on AWS Batch."""

from __future__ import annotations

import signal

import pytest

import jobs
from batchexec import markers
from batchexec.aws.logs import ContainerLog
from batchexec.models import BatchExecutionRecord, BatchJob
from jobs.models import Job, State
from tests.batchexec.local_helpers import Batch
from tests.jobs.commanding import Run, enqueued, runner
from tests.processes import FAST, row, wait_for
from tests.samples import Fail, Record, Wait

pytestmark = pytest.mark.django_db(transaction=True)

#: Says a line, waits for a file, says two more.
WAITING = """
import pathlib, sys, time
print("attempt", {attempt}, flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.02)
print("\\x1b[2Jgone on")
print("ended")
sys.exit(1)
"""


@pytest.fixture(autouse=True)
def _nobody_is_taken_for_dead(monkeypatch):
    monkeypatch.setitem(FAST, "JOBS_LEASE", "600")


@pytest.fixture
def run(capsys) -> Run:
    return runner(capsys)


@pytest.fixture
def aws(server, monkeypatch) -> Batch:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", server.url)
    return Batch(server.url)


def handed_over(batch_job_id: str) -> Job:
    job = row(enqueued(State.RUNNING, handed_over=True, locked_by="w"))
    request = {"job_name": "n", "job_queue": "q", "job_definition": "d:1"}
    assert markers.commit_intent(job, **request) is not None
    BatchJob.objects.filter(job_id=str(job.pk)).update(batch_job_id=batch_job_id)
    return job


def test_the_log_of_a_failed_job_says_why_also_once_its_row_is_gone(batch, worker, run):
    job = jobs.enqueue(Fail("out of paper"))
    assert worker().work_off() == (0, 1)
    trace = wait_for(BatchExecutionRecord.objects.first, what="its trace")
    Batch(batch.url).finished(trace.batch_job_id)  # so its log grows no more
    said = run("logs", job.pk)
    assert (said.status, said.err) == (0, "")
    assert "out of paper" in said.out
    lines = run("logs", job.pk, "--json").json["lines"]
    assert lines == said.out.splitlines()
    assert len(lines) > 1
    assert run("logs", job.pk, "--lines", "1").out.splitlines() == lines[-1:]
    Job.objects.all().delete()
    assert run("logs", job.pk).out == said.out
    assert run("logs", job.pk, "--follow").out == said.out


def test_follow_shows_new_lines_until_the_job_has_ended(aws, start, tmp_path):
    go = tmp_path / "go"
    job = handed_over(aws.python(WAITING.format(attempt=1, go=str(go))))
    following = start("jobs", "logs", str(job.pk), "--follow")
    wait_for(lambda: "attempt 1\n" in following.output)
    assert following.popen.poll() is None
    go.touch()
    wait_for(lambda: "ended\n" in following.output)
    assert following.popen.poll() is None
    Job.objects.filter(pk=job.pk).update(state=State.FAILED)
    assert following.wait() == 0
    shown = [line for line in following.output.splitlines() if "log stream yet" not in line]
    assert shown == ["attempt 1", r"\x1b[2Jgone on", "ended"]


def test_follow_waits_for_an_execution_and_ends_with_the_job(run, monkeypatch):
    monkeypatch.setattr("jobs.management.queue.logs.PAUSE", 0.01)
    job = enqueued()
    looks = []

    def is_over(pk: str) -> bool:
        looks.append(pk)
        return len(looks) > 3

    monkeypatch.setattr("jobs.management.queue.logs._is_over", is_over)
    said = run("logs", job.pk, "--follow")
    assert said.status == 1
    first, last = said.err.splitlines()
    assert first == "It has not begun to be executed."
    assert last.startswith(f"Nothing is known of an execution of job {job.pk} in AWS Batch")


def test_a_further_attempt_is_read_from_its_first_line_on(aws, tmp_path):
    count, go = tmp_path / "count", tmp_path / "go"
    # Each attempt is one more, and only the first one has to wait.
    code = f"import pathlib; p = pathlib.Path({str(count)!r}); p.open('a').write('x'); "
    code += "n = len(p.read_text())\n" + WAITING.format(attempt="n", go=str(go))
    batch_job_id = aws.python(code, retryStrategy={"attempts": 2})
    log = ContainerLog(batch_job_id)

    def first() -> bool:
        return count.exists() and aws.status(batch_job_id) == "RUNNING"

    wait_for(first, what="the first attempt")
    wait_for(lambda: log.read(100) == ["attempt 1"], what="its first line")
    assert log.read(100) == []
    go.touch()
    wait_for(lambda: aws.status(batch_job_id) == "FAILED", what="its end")
    assert log.read(100) == ["attempt 2", "\x1b[2Jgone on", "ended"]
    assert log.read(100) == []
    assert ContainerLog(batch_job_id).read(2) == ["\x1b[2Jgone on", "ended"]


def test_a_log_that_can_not_be_read_is_one_sentence(aws, run, monkeypatch):
    plain = jobs.enqueue(Record("x"))
    gone = handed_over("00000000-0000-0000-0000-000000000000")
    BatchJob.objects.filter(job_id=str(gone.pk)).update(log_stream="jobs/default/gone")
    for pk, status, words in [
        (plain.pk, 1, "what a worker performs itself is in that worker's log"),
        (gone.pk, 1, "has no stream jobs/default/gone"),
        ("nonsense\x1b[2J", 4, "There is no job"),
        ("", 4, "There is no job"),
        ("a\udcff", 4, "There is no job"),
    ]:
        said = run("logs", pk)
        assert (said.status, said.out, said.err.count("\n")) == (status, "", 1), pk
        assert words in said.err
        assert "\x1b" not in said.err
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", "http://127.0.0.1:1")
    said = run("logs", gone.pk)
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert said.err.startswith("AWS can't be asked")


def test_a_worker_that_is_told_to_stop_says_what_goes_on_elsewhere(batch, start, tmp_path):
    job = jobs.enqueue(Wait(str(tmp_path / "log"), str(tmp_path / "go")))
    process = start("jobworker", "--batch")
    wait_for(lambda: (tmp_path / "log").exists(), what="the container began")
    process.send(signal.SIGINT)
    assert process.wait() == 0
    assert "1 job goes on elsewhere, for another worker to take over" in process.output
    assert "still running in this process" not in process.output
    assert row(job).state == State.DETACHED
    (tmp_path / "go").touch()
    wait_for(lambda: row(job) is None, what="it ended")
