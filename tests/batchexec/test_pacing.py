"""How fast one process submits and polls."""

from __future__ import annotations

import logging
import signal
import time
from types import SimpleNamespace

import pytest

import jobs
from batchexec.aws.client import BatchClient
from batchexec.models import BatchJob
from batchexec.process.pacer import RECOVERY, Pacer
from batchexec.process.poller import Poller
from batchexec.process.watches import Rounds, Watches
from jobs.models import Job, State
from tests.processes import wait_for
from tests.samples import Append

pytestmark = pytest.mark.django_db(transaction=True)


def submitted() -> list[BatchJob]:
    return list(BatchJob.objects.filter(state=BatchJob.State.SUBMITTED))


def test_the_slots_of_a_process_submit_no_faster_than_the_rate(
    batch, worker, client_of, settings, monkeypatch, tmp_path
):
    options = {"SUBMIT_RATE": 4, "COMMAND": ["true"], "INFRASTRUCTURE_RETRIES": 0}
    settings.BATCHEXEC = {**settings.BATCHEXEC, **options}
    turns, turn = [], Pacer.turn

    def noted(pacer):
        turns.append(time.time())
        return turn(pacer)

    monkeypatch.setattr(Pacer, "turn", noted)
    jobs.enqueue_many([Append(str(tmp_path / "log")) for _ in range(12)])
    assert worker(concurrency=12).work_off() == (0, 12)
    ids = [submission["jobId"] for submission in batch.calls()["submissions"]]
    assert len(ids) == 12
    created = sorted(
        job["createdAt"] / 1000 for job in client_of(batch).describe_jobs(jobs=ids)["jobs"]
    )
    # Each may be late on a busy machine, but none is early. AWS has whole milliseconds.
    assert all(at - turns[0] > number / 4 - 0.01 for number, at in enumerate(created))


def test_a_slot_that_waits_for_its_turn_lets_go_at_once(batch, start, tmp_path):
    jobs.enqueue_many([Append(str(tmp_path / "log")) for _ in range(3)])
    options = {
        "BATCHEXEC_SUBMIT_RATE": "0.0002",
        "BATCHEXEC_COMMAND": "sh,-c,sleep 3600",
    }
    worker = start("jobworker", "--batch", "--concurrency", "3", **options)
    wait_for(lambda: len(submitted()) == 1 and Job.objects.filter(state=State.RUNNING).count() == 3)
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0  # at its rate, the next turn comes after an hour
    # Those that had no turn were not handed over: any worker may take them.
    waiting = Job.objects.exclude(pk=submitted()[0].job_id)
    assert [(job.state, job.handed_over, job.attempts) for job in waiting] == 2 * [
        (State.READY, False, 0)
    ]
    assert len(batch.calls()["submissions"]) == 1


def test_throttling_halves_the_rate_of_the_process(batch, worker, settings, tmp_path):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "SUBMIT_RATE": 20}
    batch.set_faults(["SubmitJob:429:times=1"])
    throttled = worker()
    pacer = next(plugin for plugin in throttled.plugins if hasattr(plugin, "poller"))._gates.pacer
    jobs.enqueue(Append(str(tmp_path / "log")))
    assert throttled.work_off() == (1, 0)
    assert pacer.rate == pytest.approx(20 * (0.5 + RECOVERY))


def test_what_is_refused_together_halves_the_rate_once_and_it_recovers_with_what_is_accepted(
    settings, monkeypatch
):
    clock = SimpleNamespace(monotonic=lambda: 1000.0)
    monkeypatch.setattr("batchexec.process.pacer.time", clock)
    settings.BATCHEXEC = {"SUBMIT_RATE": 40}
    pacer = Pacer()
    for _ in range(10):
        pacer.throttled()
    assert pacer.rate == 20
    assert [pacer.turn() for _ in range(3)] == pytest.approx([0, 0.05, 0.1])
    for _ in range(100):
        pacer.accepted()
    assert pacer.rate == 40


def test_a_rate_of_zero_is_no_limit(settings):
    settings.BATCHEXEC = {"SUBMIT_RATE": 0}
    pacer = Pacer()
    pacer.throttled()
    assert [pacer.turn() for _ in range(3)] == [0, 0, 0]


def test_each_poll_that_is_throttled_doubles_the_pause_before_the_next(batch, settings, caplog):
    settings.BATCHEXEC = {"POLL_INTERVAL": 0.2}
    batch.set_faults(["DescribeJobs:429"])
    poller = Poller(BatchClient())
    watches = Watches(Rounds("a-test", poller.look, eager=True))
    with caplog.at_level(logging.WARNING, "batchexec.process.poller"):
        watch = watches.begin("unheard-of")
        wait_for(lambda: len(caplog.records) >= 2)
    watches.end(watch)
    first, second = (record.args[1] for record in caplog.records[:2])
    assert 0.2 < first < 0.5
    assert second == pytest.approx(2 * first)
    assert watch.polled == 0
