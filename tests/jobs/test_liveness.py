"""Each worker that runs is shown, with its last sign of life."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
from contextlib import nullcontext
from pathlib import Path

import pytest
from django.db import OperationalError

import jobs
from jobs.models import WorkerRecord
from jobs.operator import monitoring
from jobs.process.bulletin import MOST_AT_END, Bulletin, Card
from jobs.process.leases import Heartbeat
from jobs.process.pruner import prune
from jobs.store import store_for
from tests.processes import FAST, lines, wait_for
from tests.samples import Hog, Wait

pytestmark = pytest.mark.django_db(transaction=True)


def shown(name: str = "w") -> WorkerRecord | None:
    return WorkerRecord.objects.filter(name=name).first()


def seen_again(name: str = "w") -> bool:
    """Waits until the worker has shown another sign of life."""
    before = wait_for(lambda: shown(name)).seen_at
    return wait_for(lambda: (row := shown(name)) is not None and row.seen_at > before)


def test_a_worker_without_jobs_shows_signs_of_life_until_it_ends(start):
    process = start("jobworker", "--name", "w", "--queues", "mail,reports", "--concurrency", "3")
    assert seen_again()
    row = shown()
    assert (row.host, row.pid) == (socket.gethostname(), process.popen.pid)
    assert (row.queues, row.slots, row.in_hand, row.hands_over) == ("mail,reports", 3, 0, False)
    assert (row.version, row.lease) == (jobs.__version__, float(FAST["JOBS_LEASE"]))
    assert row.started_at <= row.seen_at
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert shown() is None


def test_it_says_how_many_jobs_it_has_in_hand(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    jobs.enqueue_many([Wait(str(log), str(go), str(number)) for number in range(3)])
    start("jobworker", "--name", "w", "--concurrency", "2")
    wait_for(lambda: (row := shown()) is not None and row.in_hand == 2)
    go.touch()
    wait_for(lambda: (row := shown()) is not None and row.in_hand == 0)


def test_a_killed_worker_is_silent_and_one_that_is_stopped_too(start):
    killed, stopped = (
        start("jobworker", "--name", "killed"),
        start("jobworker", "--name", "stopped"),
    )
    wait_for(lambda: WorkerRecord.objects.count() == 2)
    killed.kill()
    stopped.send(signal.SIGSTOP)
    wait_for(lambda: all(not sign.is_alive for sign in monitoring.workers()))
    for name in ("killed", "stopped"):
        with pytest.raises(monitoring.Silent, match="given no sign of life for"):
            monitoring.check_worker(name)
    stopped.send(signal.SIGCONT)
    assert wait_for(lambda: monitoring.workers()[1].is_alive)


def test_a_job_that_hogs_the_interpreter_does_not_silence_its_worker(start, tmp_path):
    log = tmp_path / "log"
    jobs.enqueue(Hog(str(log), 3600))
    start("jobworker", "--name", "w", JOBS_LEASE="2")
    wait_for(lambda: lines(log) == ["began"])
    assert seen_again()
    assert seen_again()
    wait_for(lambda: monitoring.workers()[0].is_alive)
    assert lines(log) == ["began"]


def test_a_worker_that_follows_another_of_its_name_takes_its_row(start):
    first = start("jobworker", "--name", "w")
    wait_for(shown)
    first.kill()
    second = start("jobworker", "--name", "w")
    wait_for(lambda: (row := shown()) is not None and row.pid == second.popen.pid)


def row_of(started_at: dt.datetime, pid: int) -> Bulletin:
    bulletin = Bulletin(Card("w", (), 1, False, pid=pid))
    bulletin.appear(started_at)
    return bulletin


def test_the_late_words_of_a_predecessor_change_nothing():
    now = store_for(WorkerRecord).now().replace(microsecond=1000)
    before, after = row_of(now - dt.timedelta(minutes=1), 1), row_of(now, 2)
    before.carry_out(before.take(0))
    assert shown().pid == 1
    after.carry_out(after.take(0))
    before.appear(now - dt.timedelta(minutes=1))
    before.carry_out(before.take(7))
    before.remove()
    assert (shown().pid, shown().in_hand) == (2, 0)
    after.remove()
    assert shown() is None


def test_a_worker_that_ends_waits_longer_for_its_row_to_go_than_a_lease_could(
    monkeypatch, settings
):
    settings.JOBS = {"LEASE": 1}
    seconds = []

    def within(store, most):
        seconds.append(most)
        return nullcontext()

    monkeypatch.setattr("jobs.process.bulletin.within", within)
    bulletin = row_of(store_for(WorkerRecord).now(), 1)
    bulletin.carry_out(bulletin.take(0))
    bulletin.remove()
    assert seconds == [1 / 8, MOST_AT_END]
    assert shown() is None


def test_a_table_that_cannot_be_written_harms_no_worker_and_is_told_once(monkeypatch, caplog):
    def away(*arguments):
        raise OperationalError("no such table")

    monkeypatch.setattr("jobs.process.bulletin.keyed_for", away)
    bulletin = row_of(store_for(WorkerRecord).now(), 1)
    for _ in range(3):
        bulletin.appear(store_for(WorkerRecord).now())
        bulletin.carry_out(bulletin.take(0))
    assert caplog.text.count("What is shown of the worker and its jobs can't be written") == 1


def test_without_a_keeper_a_thread_of_the_worker_shows_it(settings):
    settings.JOBS = {"LEASE": 1}
    heartbeat = Heartbeat(card=Card("w", ("q",), 2, True))
    heartbeat.appear()
    try:
        assert seen_again()
        assert seen_again()
        assert shown().hands_over is True
    finally:
        heartbeat.disappear()
        heartbeat.stop()
    assert shown() is None


def test_a_worker_whose_keeper_dies_is_shown_all_the_same(start):
    process = start("jobworker", "--name", "w")
    wait_for(shown)
    children = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children")
    [keeper] = children.read_text().split()
    os.kill(int(keeper), signal.SIGKILL)
    wait_for(lambda: "has died" in process.output)
    assert seen_again()
    assert seen_again()


def test_workers_that_have_long_been_silent_are_forgotten():
    now = store_for(WorkerRecord).now()
    for name, days in (("old", 2), ("new", 0)):
        when = now - dt.timedelta(days=days)
        WorkerRecord.objects.create(
            name=name, host="h", pid=1, slots=1, lease=60, started_at=when, seen_at=when
        )
    prune()
    assert [sign.record.name for sign in monitoring.workers()] == ["new"]


def test_the_command_lists_workers_and_checks_them(run, standing_clock):
    said = run("workers")
    assert (said.status, said.out) == (0, "No worker is running.\n")
    now = standing_clock
    for name, seconds in (("alive", 5), ("silent", 100)):
        WorkerRecord.objects.create(
            name=name,
            host=socket.gethostname() if name == "alive" else "elsewhere",
            pid=7,
            queues="mail",
            slots=4,
            in_hand=2,
            lease=60,
            version="1",
            started_at=now - dt.timedelta(hours=1),
            seen_at=now - dt.timedelta(seconds=seconds),
        )
    said = run("workers")
    assert said.status == 0
    header, alive, silent = said.out.splitlines()
    assert header.split()[0] == "NAME"
    assert "2 of 4" in alive
    assert "SILENT" not in alive
    assert silent.endswith("SILENT")
    said = run("workers", "--json")
    assert said.status == 0
    assert [(one["name"], one["alive"], one["queues"]) for one in said.json] == [
        ("alive", True, ["mail"]),
        ("silent", False, ["mail"]),
    ]
    for arguments, status in [
        (["--check"], 0),  # of this host
        (["--check", "alive"], 0),
        (["--check", "alive", "--max-silence", "1"], 1),
        (["--check", "silent"], 1),
        (["--check", "silent", "--max-silence", "1h"], 0),
        (["--check", "unknown"], 1),
        (["--check", "silent", "--json"], 1),
    ]:
        assert run("workers", *arguments).status == status, arguments
    assert "There is no worker 'unknown'" in run("workers", "--check", "unknown").err


def test_a_database_that_is_away_says_nothing_of_a_worker(monkeypatch, run):
    error = next(iter(store_for(WorkerRecord).unavailable))("away")
    monkeypatch.setattr(
        type(store_for(WorkerRecord)), "is_unavailable", lambda self, found: found is error
    )

    def away():
        raise error

    monkeypatch.setattr(monitoring, "workers", away)
    said = run("workers", "--check", "w")
    assert said.status == 0
    assert "nobody can tell" in said.err
