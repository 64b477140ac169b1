"""`manage.py runjob`: what the container runs, with its exit statuses."""

from __future__ import annotations

import json
import signal

import pytest

import jobs
from jobs import transitions
from jobs.models import Job, State
from jobs.runjob import Refused, run_by_hand
from jobs.store import store_for
from tests.processes import lines, row, wait_for
from tests.samples import Append, Fail, Record, Speak, Wait

pytestmark = pytest.mark.django_db(transaction=True)


def handed_over(payload) -> Job:
    job = jobs.enqueue(payload)
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, locked_by="watcher", handed_over=True)
    return row(job)


def test_performs_a_waiting_job_by_hand_due_or_not(start, tmp_path):
    log = tmp_path / "log"
    job = jobs.enqueue(Append(str(log)))
    Job.objects.filter(pk=job.pk).update(state=State.SCHEDULED)
    assert start("runjob", str(job.pk)).wait() == 0
    assert lines(log) == ["performed"]
    assert row(job) is None


def test_leaves_with_1_when_the_job_raised_and_that_is_recorded(start):
    job = jobs.enqueue(Fail("no luck"))
    assert start("runjob", str(job.pk)).wait() == 1
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert "no luck" in row(job).last_error


@pytest.mark.parametrize(
    "pk", ["0", "nonsense", "ffffffffffffffffffffffff", "-1", "9" * 40, "a\udcffb"]
)
def test_leaves_with_4_where_there_is_no_such_job(start, pk):
    process = start("runjob", "--", pk)
    assert process.wait() == 4
    assert process.output.startswith("There is no job ")
    assert process.output.count("\n") == 1


def test_a_container_performs_the_job_of_its_epoch(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = handed_over(Wait(str(log), str(go)))
    container = start(
        "runjob", str(job.pk), JOB_EPOCH="0", AWS_BATCH_JOB_ID="b-1", AWS_BATCH_JOB_ATTEMPT="2"
    )
    wait_for(lambda: lines(log))
    assert row(job).runner.startswith("b-1/2@0#")
    assert (row(job).state, row(job).locked_by) == (State.RUNNING, "watcher")
    assert row(job).started_at is not None
    first = row(job).heartbeat_at
    wait_for(lambda: row(job).heartbeat_at > first, what="a heartbeat")
    # The same container, started a second time: refused, and nothing is changed.
    again = start(
        "runjob", str(job.pk), JOB_EPOCH="0", AWS_BATCH_JOB_ID="b-1", AWS_BATCH_JOB_ATTEMPT="2"
    )
    assert again.wait() == 3
    assert "executed by b-1/2@0#" in again.output
    go.touch()
    assert container.wait() == 0
    assert row(job) is None
    assert len(lines(log)) == 2


@pytest.mark.parametrize("epoch", ["1", "-1", "x", ""])
def test_a_container_of_another_epoch_is_refused(start, tmp_path, epoch):
    job = handed_over(Append(str(tmp_path / "log")))
    process = start("runjob", str(job.pk), JOB_EPOCH=epoch)
    assert process.wait() == 3
    assert "epoch 0" in process.output
    assert row(job).runner == ""
    assert lines(tmp_path / "log") == []


def test_what_is_not_to_be_run_is_refused(start, tmp_path):
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    assert start("runjob", str(job.pk), JOB_EPOCH="0").wait() == 3  # nobody handed it over
    transitions.cancel(row(job))
    process = start("runjob", str(job.pk))
    assert process.wait() == 3
    assert "cancelled" in process.output
    assert lines(tmp_path / "log") == []


def test_a_container_that_is_told_to_end_records_the_attempt_and_leaves_with_143(start, tmp_path):
    log = tmp_path / "log"
    job = handed_over(Wait(str(log), str(tmp_path / "never")))
    container = start("runjob", str(job.pk), JOB_EPOCH="0")
    wait_for(lambda: lines(log))
    container.send(signal.SIGTERM)
    assert container.wait() == 143
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 1, 1)
    assert row(job).last_error.startswith("Terminated: ")


def test_a_cancelled_container_keeps_its_name_until_it_ends_and_records_nothing(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = handed_over(Wait(str(log), str(go)))
    container = start("runjob", str(job.pk), JOB_EPOCH="0")
    wait_for(lambda: lines(log))
    assert transitions.cancel(row(job))
    assert not transitions.retry(row(job))
    first = row(job).heartbeat_at
    wait_for(lambda: row(job).heartbeat_at > first, what="a heartbeat after the cancel")
    go.touch()
    assert container.wait() == 3
    assert (row(job).state, row(job).runner, row(job).attempts) == (State.CANCELLED, "", 0)
    assert transitions.retry(row(job))


def test_a_job_that_another_worker_took_while_the_answer_was_lost_is_refused(monkeypatch, calls):
    job = jobs.enqueue(Record("never"))
    store, take = store_for(Job), transitions.take
    lost: list[object] = []

    def lose_the_first_answer(*arguments):
        if lost:
            return take(*arguments)
        lost.append(arguments)
        taken = {"state": State.RUNNING, "locked_by": "another", "runner": "another@0"}
        store.change(job.pk, {}, taken)
        raise store.unavailable[0]("the answer was lost")

    monkeypatch.setattr(transitions, "take", lose_the_first_answer)
    with pytest.raises(Refused, match="executed by another@0"):
        run_by_hand(jobs.Worker(), str(job.pk))
    assert lost
    assert calls == []
    assert row(job).locked_by == "another"


def test_every_line_of_a_container_is_json_about_its_job(start):
    """Whichever thread logs it; the traceback is there once."""
    job = handed_over(Speak())
    container = start(
        "runjob", str(job.pk), JOB_EPOCH="0", AWS_BATCH_JOB_ID="b-1", LOG_FORMAT="json"
    )
    assert container.wait() == 1
    records = [json.loads(line) for line in container.output.splitlines()]
    assert [
        (record["logger"], record["message"].partition("\n")[0]) for record in records[1:3]
    ] == [
        ("tests.speak", "in the job's thread"),
        ("tests.speak", "in a thread"),
    ]
    [running, *_, failed] = records
    assert running["message"].endswith(" RUNNING")
    assert "FAILED (0 prior attempts)" in failed["message"]
    for record in records:
        assert record["job_id"] == str(job.pk)
        assert record["job_name"] == "tests.samples.Speak"
        assert (record["queue"], record["attempt"], record["epoch"]) == ("default", 1, 0)
        assert record["batch_job_id"] == "b-1"
        assert record["worker"]
    assert container.output.count("Traceback") == 1


def test_a_container_logs_text_unless_told_otherwise(start):
    job = handed_over(Speak())
    container = start("runjob", str(job.pk), JOB_EPOCH="0")
    assert container.wait() == 1
    assert f" WARNING tests.speak [job {job.pk}] in the job's thread\n    CRITICAL forged\n" in (
        container.output
    )
    assert f" WARNING tests.speak [job {job.pk}] in a thread\n" in container.output
    assert container.output.count("Traceback") == 1


def test_leaves_with_75_in_a_container_whose_name_no_record_keeps(start, tmp_path):
    job = handed_over(Append(str(tmp_path / "log")))
    container = start("runjob", str(job.pk), JOB_EPOCH="0", AWS_BATCH_JOB_ID="b" * 200)
    assert container.wait() == 75
    assert "was not begun. This container's name has 200 characters" in container.output
    assert (row(job).runner, row(job).state) == ("", State.RUNNING)
    assert lines(tmp_path / "log") == []
