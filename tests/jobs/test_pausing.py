"""What is paused isn't begun; what is being executed goes on."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

import jobs
from jobs.models import Job, Pause, State
from jobs.operator import checks, pausing, reports
from jobs.process import pauses
from jobs.store import limits, store_for
from jobs.store.reserver import Paused
from tests.processes import in_a_thread, lines, locked, row, wait_for
from tests.samples import Append, Record, Wait, calls

pytestmark = pytest.mark.django_db(transaction=True)

RECORD = "tests.samples.Record"


class Other(Record): ...


def perform(**options) -> list:
    """What a new worker performs now."""
    calls.clear()
    jobs.Worker(**options).work_off()
    return sorted(calls)


@pytest.fixture
def waiting() -> list[Job]:
    return [
        jobs.enqueue(Record("a"), queue="mail"),
        jobs.enqueue(Record("b")),
        jobs.enqueue(Other("c"), queue="mail"),
        jobs.enqueue(Other("d")),
    ]


@dataclass
class Named(Record):
    def display_name(self) -> str:
        return "A letter"


CLASS = f"{Named.__module__}.Named"


def test_to_pause_a_name_that_no_job_has_is_doubted(run):
    jobs.enqueue(Named("a"))
    said = run("pause", "--name", CLASS)
    assert said.status == 0
    assert said.err.startswith(f"No unfinished job has the name {CLASS}: pausing goes by")
    assert "is paused" in said.out
    assert json.loads(run("pause", "--name", CLASS, "--json").out) == {"paused": False}
    assert run("pause", "--name", "A letter").err == ""
    assert run("pause", "mail").err == ""
    assert perform() == []


def test_jobs_of_a_paused_queue_are_passed_over(waiting):
    assert pausing.pause(queue="mail") is True
    assert perform() == ["b", "d"]
    assert {job.queue for job in Job.objects.all()} == {"mail"}
    assert pausing.resume(queue="mail") is True
    assert perform() == ["a", "c"]


def test_jobs_of_a_paused_class_are_passed_over_in_every_queue(waiting):
    pausing.pause(name=RECORD)
    assert perform() == ["c", "d"]
    pausing.resume(name=RECORD)
    assert perform() == ["a", "b"]


def test_queues_and_classes_can_be_paused_at_once_also_for_a_worker_of_some_queues(waiting):
    pausing.pause(queue="mail")
    pausing.pause(queue="reports")
    pausing.pause(name=RECORD)
    assert perform(queues=["mail", "default"]) == ["d"]
    assert perform(queues=["mail"]) == []
    assert perform(concurrency=8) == []
    pausing.resume(name=RECORD)
    assert perform(queues=["mail", "default"]) == ["b"]
    assert perform(queues=["mail"]) == []


def test_a_job_that_lost_its_watcher_is_taken_over_although_its_queue_is_paused():
    job = jobs.enqueue(Record(), queue="mail")
    Job.objects.filter(pk=job.pk).update(state=State.DETACHED, handed_over=True)
    for queues in ((), ("mail",)):
        worker = SimpleNamespace(
            name="w",
            queues=queues,
            min_priority=None,
            max_priority=None,
            hands_over=True,
            paused=Paused(frozenset({"mail"}), frozenset({RECORD})),
        )
        assert [one.pk for one in store_for(Job).claim(worker)] == [job.pk], queues
        Job.objects.filter(pk=job.pk).update(state=State.READY, locked_by="")
        assert store_for(Job).claim(worker) == []
        Job.objects.filter(pk=job.pk).update(state=State.DETACHED)


def test_a_worker_that_runs_stops_beginning_jobs_and_finishes_the_one_it_has(monkeypatch, tmp_path):
    monkeypatch.setattr(pauses, "INTERVAL", 0)
    log, go, other = tmp_path / "log", tmp_path / "go", tmp_path / "other"
    first = jobs.enqueue(Wait(str(log), str(go)), queue="mail")
    worker = jobs.Worker(concurrency=2, sleep_delay=0.1)
    with in_a_thread(worker.start):
        try:
            wait_for(lambda: lines(log))
            pausing.pause(queue="mail")
            # A claim that is on its way may be the last that doesn't know of it.
            claimed = jobs.enqueue(Append(str(tmp_path / "claimed")))
            wait_for(lambda: row(claimed) is None)
            second = jobs.enqueue(Append(str(other)), queue="mail")
            jobs.enqueue(Append(str(other), "not paused"))
            wait_for(lambda: lines(other) == ["not paused"])
            go.touch()
            wait_for(lambda: row(first) is None)
            assert row(second).state == State.READY
            pausing.resume(queue="mail")
            wait_for(lambda: row(second) is None)
            assert lines(other) == ["not paused", "performed"]
        finally:
            go.touch()
            worker.stop()


@pytest.mark.usefixtures("known_clock")
def test_a_hundred_jobs_cost_no_more_statements_while_something_is_paused(monkeypatch):
    if connection.vendor in ("mongodb", "djongo"):
        pytest.skip("Counted by Django's query log.")
    monkeypatch.setattr(pauses, "INTERVAL", math.inf)
    counts = []
    for _ in range(2):
        jobs.enqueue_many([Record(number) for number in range(100)])
        with CaptureQueriesContext(connection) as sent:
            assert jobs.Worker().work_off(100) == (100, 0)
        counts.append(len(sent))
        pausing.pause(queue="mail")
        pausing.pause(name="another")
        jobs.enqueue(Record("paused"), queue="mail", priority=-1)
    assert counts[0] == counts[1]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a lock that keeps from reading")
def test_a_worker_goes_on_while_somebody_has_locked_the_table_of_pauses(monkeypatch, caplog):
    monkeypatch.setattr(pauses, "INTERVAL", 0)
    pausing.pause(queue="mail")
    worker = jobs.Worker()
    assert worker.work_off() == (0, 0)
    jobs.enqueue(Record("a"))
    jobs.enqueue(Record("paused"), queue="mail")
    with locked("LOCK TABLE jobs_pause"), monkeypatch.context() as patched:
        patched.setattr(limits, "PATIENCE", 0.2)
        assert worker.work_off() == (1, 0)
    assert calls == ["a"]
    assert "What is paused can't be read" in caplog.text
    assert worker.work_off() == (0, 0)
    assert store_for(Job).seconds_reachable() > 0.2


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a lock that keeps from reading")
def test_a_worker_that_starts_while_the_tables_for_people_are_locked_works_all_the_same(
    monkeypatch, caplog
):
    jobs.enqueue(Record("a"))
    worker = jobs.Worker()
    for chore in worker._reaper._chores:
        chore._next = 0
    with locked("LOCK TABLE jobs_pause, jobs_activity"), monkeypatch.context() as patched:
        patched.setattr(limits, "PATIENCE", 0.2)
        worker._passes.run(1)
    assert calls == ["a"]
    assert "What is paused can't be read" in caplog.text
    assert "What is old and kept for people can't be deleted" in caplog.text


def test_pauses_that_were_never_read_are_waited_for_while_the_database_is_away(monkeypatch):
    """However long it takes until a connection is refused."""
    monkeypatch.setattr(limits, "PATIENCE", 0)

    class Away:
        keeps_documents = False
        connection = SimpleNamespace(
            ensure_connection=lambda: None, is_usable=lambda: False, in_atomic_block=True
        )

        def find(self, *arguments):
            raise OperationalError("no route to host")

        def is_unavailable(self, error):
            return True

    monkeypatch.setattr(pauses, "store_for", lambda model: Away())
    with pytest.raises(OperationalError):
        pauses.Pauses().refresh()


def test_pauses_that_cannot_be_read_leave_those_that_were_read_last(monkeypatch, caplog):
    pausing.pause(queue="mail")
    known = pauses.Pauses()
    known.refresh()
    assert known.now.queues == {"mail"}

    class Broken:
        def find(self, *arguments):
            raise RuntimeError("no such table")

        def is_unavailable(self, error):
            return False

    monkeypatch.setattr(pauses, "store_for", lambda model: Broken())
    known._next = 0
    known.refresh()
    assert known.now.queues == {"mail"}
    assert "What is paused can't be read" in caplog.text


# For people


def test_the_commands_pause_and_resume_and_say_so(run):
    assert run("pause", "mail", "--reason", "the provider is down").status == 0
    said = run("pause", "--name", RECORD)
    assert said.status == 0
    assert "The job tests.samples.Record is paused." in said.out
    said = run("pause", "mail")
    assert said.status == 0
    assert "was paused already" in said.out
    assert [(one.kind, one.value, one.reason) for one in pausing.paused()] == [
        ("queue", "mail", "the provider is down"),
        ("name", RECORD, ""),
    ]
    for name in ("stats", "check"):
        said = run(name)
        assert said.status == 0
        assert "The queue mail is paused since" in said.out
        assert "the provider is down" in said.out
        said = run(name, "--json")
        assert said.status == 0
        assert [one["value"] for one in said.json["paused"]] == ["mail", RECORD]
    said = run("resume", "mail", "--json")
    assert (said.status, said.json) == (0, {"resumed": True})
    assert run("resume", "mail").status == 1
    assert run("resume", "--name", RECORD).status == 0
    assert pausing.paused() == []


@pytest.mark.parametrize("arguments", [[], ["mail", "--name", "x"]])
def test_one_of_queue_and_class_is_named(arguments):
    from django.core.management import CommandError

    with pytest.raises(CommandError):
        call_command("jobs", "pause", *arguments)
    with pytest.raises(TypeError):
        pausing.pause()


def test_a_queue_that_no_job_can_have_is_refused(run):
    for queue in ("", "a\x00b"):
        said = run("pause", queue)
        assert said.status == 1
        assert said.err.count("No job has the queue") == 1
    assert not Pause.objects.exists()


def test_a_paused_job_is_not_one_that_waits_too_long(run):
    ago = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=2)
    jobs.enqueue(Record(), queue="mail", run_at=ago)
    assert 7100 < reports.stats()["oldest_due_seconds"] < 7300
    pausing.pause(queue="mail")
    assert reports.stats()["oldest_due_seconds"] is None
    assert run("stats").out.splitlines()[-1] == "No other job is due."
    jobs.enqueue(Record(), run_at=ago + dt.timedelta(hours=1))
    assert 3500 < reports.stats()["oldest_due_seconds"] < 3700
    pausing.pause(name=RECORD)
    assert reports.stats()["oldest_due_seconds"] is None


def test_a_paused_job_is_not_reported_as_one_that_nobody_takes():
    ago = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=2)
    jobs.enqueue(Record(), queue="mail", run_at=ago)
    jobs.enqueue(Record(), run_at=ago + dt.timedelta(hours=1))
    assert 7100 < checks.check(300).oldest_due_seconds < 7300
    pausing.pause(queue="mail")
    found = checks.check(300)
    assert 3500 < found.oldest_due_seconds < 3700
    assert len(found.problems) == 1
    pausing.pause(name=RECORD)
    assert checks.check(300).problems == []
