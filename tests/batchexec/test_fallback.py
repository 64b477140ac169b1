"""`Resources(queues=…)`: a queue that takes no jobs is passed over, at no cost."""

from __future__ import annotations

import pytest

import jobs
from batchexec.models import BatchHistory
from jobs.models import Job, State
from tests.batchexec.places import add_queue, asking, details
from tests.fixtures import batch_execution_of
from tests.processes import lines, row

pytestmark = pytest.mark.django_db(transaction=True)


def job_on(path, *queues: str) -> Job:
    return jobs.enqueue(asking(path, queues=list(queues)))


def queues_of(client, batch) -> list[str]:
    return [detail["jobQueue"].rpartition("/")[2] for detail in details(client, batch)]


def invalid(plugin, name: str) -> None:
    """AWS Batch says of that queue what it says when its compute environment broke."""
    ask = plugin.client.queues

    def asked(queue: str) -> list[dict[str, object]]:
        wrong = {"status": "INVALID", "statusReason": "no\nsubnet"} if queue == name else {}
        return [{**detail, **wrong} for detail in ask(queue)]

    plugin.client.queues = asked


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("missing", "no job queue 'spot'"),
        ("disabled", "'spot' is disabled"),
        ("invalid", "'spot' is INVALID (no\\nsubnet)"),
    ],
)
def test_a_job_passes_over_a_queue_that_takes_no_jobs_and_a_line_says_so(
    batch, worker, client_of, tmp_path, caplog, state, said
):
    client, mine = client_of(batch), worker()
    add_queue(client, "on-demand")
    if state != "missing":
        add_queue(client, "spot")
    if state == "disabled":
        client.update_job_queue(jobQueue="spot", state="DISABLED")
    if state == "invalid":
        invalid(batch_execution_of(mine), "spot")
    job = job_on(tmp_path / "log", "spot", "on-demand")
    with caplog.at_level("INFO", "batchexec"):
        assert mine.work_off() == (1, 0)
    assert row(job) is None
    assert lines(tmp_path / "log") == ["performed"]
    assert queues_of(client, batch) == ["on-demand"]
    (line,) = [one for one in caplog.messages if "goes on to the queue on-demand" in one]
    assert said in line


def test_a_job_passes_over_as_many_as_there_are_and_fails_its_attempt_on_the_last(
    batch, worker, client_of, tmp_path
):
    job = job_on(tmp_path / "log", "one", "two", "three")
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert "no job queue 'three'" in row(job).last_error
    assert BatchHistory.objects.get().setbacks == 4
    assert "SubmitJob" not in batch.calls()["counts"]


def test_a_queue_that_is_disabled_behind_a_look_that_still_holds_is_passed_over_too(
    batch, worker, client_of, tmp_path, monkeypatch
):
    monkeypatch.setattr("batchexec.aws.catalogue.FRESH_FOR", 3600.0)
    client, mine = client_of(batch), worker()
    add_queue(client, "spot")
    add_queue(client, "on-demand")
    first = job_on(tmp_path / "log", "spot", "on-demand")
    assert mine.work_off() == (1, 0)
    client.update_job_queue(jobQueue="spot", state="DISABLED")
    second = job_on(tmp_path / "log", "spot", "on-demand")
    assert mine.work_off() == (1, 0)
    assert (row(first), row(second)) == (None, None)
    assert queues_of(client, batch) == ["spot", "on-demand"]
    assert batch.calls()["counts"]["SubmitJob"] == 3  # one of which was refused


def test_the_settings_own_queue_is_passed_over_too(batch, worker, client_of, tmp_path):
    client = client_of(batch)
    add_queue(client, "on-demand")
    client.update_job_queue(jobQueue="delayed-jobs", state="DISABLED")
    job = job_on(tmp_path / "log", "delayed-jobs", "on-demand")
    assert worker().work_off() == (1, 0)
    assert row(job) is None
    assert queues_of(client, batch) == ["on-demand"]
