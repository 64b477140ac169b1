"""What became of jobs is counted by queue, class and minute, and each failed attempt is
kept: off the path of the jobs.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections

import jobs
from jobs.execution import journal as journals
from jobs.execution import notes
from jobs.execution.journal import Journal
from jobs.models import Activity, FailedAttempt, Job, State
from jobs.operator import actions
from jobs.records import BOUNDS, COUNTS, NUMBERS, RAN, WAITED, class_of
from jobs.store import store_for
from jobs.store.keyed import keyed_for
from tests.processes import row, wait_for
from tests.samples import Fail, FailForNow, Raise, Record, Target

pytestmark = pytest.mark.django_db(transaction=True)

RECORD, FAIL = "tests.samples.Record", "tests.samples.Fail"
FOR_NOW = "tests.samples.FailForNow"
#: Of workers that live: however slow they are, none takes another for dead.
LONG = {"JOBS_LEASE": "3600"}


def counted() -> dict[tuple[str, ...], tuple[float, ...]]:
    """(performed, failed, retried) by queue and class, whatever the minute."""
    sums = keyed_for(Activity).sums({}, ["queue", "name"], NUMBERS)
    return {(one["queue"], one["name"]): tuple(one[name] for name in COUNTS) for one in sums}


class FailsTwice(FailForNow):
    max_attempts = 2


def tried_again(worker: jobs.Worker) -> tuple[int, int]:
    """What comes of the jobs that have failed, as if they were due again."""
    Job.objects.filter(state=State.SCHEDULED).update(state=State.READY)
    return worker.work_off()


class Gone(Fail):
    max_attempts = 1
    destroy_failed_jobs = True


def test_each_outcome_is_counted_once_by_queue_and_class():
    jobs.enqueue(Record())
    jobs.enqueue(Record(), queue="mail")
    jobs.enqueue_many([Record(), Record()])
    jobs.enqueue(FailsTwice())
    jobs.enqueue(Gone())
    jobs.delay(Target, queue="mail").remember(1, 2)
    worker = jobs.Worker()
    assert worker.work_off() == (5, 2)
    assert tried_again(worker) == (0, 1)
    here = f"{__name__}."
    assert counted() == {
        ("default", RECORD): (3, 0, 0),
        ("mail", RECORD): (1, 0, 0),
        ("default", f"{here}FailsTwice"): (0, 1, 1),
        ("default", f"{here}Gone"): (0, 1, 0),
        ("mail", "tests.samples.Target.remember"): (1, 0, 0),
    }


class Changes(jobs.Performable):
    """Leaves its job with a value that no row can have."""

    field: str
    value: Any
    fails: bool

    def before(self, job: Job) -> None:
        setattr(job, self.field, UNSTORABLE[self.value])

    def perform(self) -> None:
        if self.fails:
            raise RuntimeError("after all")


UNSTORABLE: dict[str, Any] = {
    "surrogate": "\ud800",
    "NUL": "a\0b",
    "long": "q" * 5000,
    "None": None,
    "a list": [1],
    "a number": 5,
}


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("field", ["queue", "epoch", "attempts"])
@pytest.mark.parametrize("value", UNSTORABLE)
def test_what_a_job_makes_of_itself_costs_no_other_its_record(field, value, fails):
    jobs.enqueue_many([Record(), Changes(field, value, fails), Record(), Fail()])
    jobs.Worker().work_off()
    found = counted()
    assert found["default", RECORD] == (2, 0, 0)
    assert found["default", FAIL] == (0, 0, 1)
    assert FailedAttempt.objects.filter(name=FAIL).count() == 1


def test_waiting_and_running_are_in_the_class_of_their_length(standing_clock):
    jobs.enqueue(Record(), run_at=standing_clock - dt.timedelta(seconds=90))
    jobs.Worker().work_off()
    [sums] = keyed_for(Activity).sums({}, [], NUMBERS)
    assert sums["seconds_waited"] == 90
    assert sums[WAITED[class_of(90)]] == 1
    assert BOUNDS[class_of(90) - 1] < 90 <= BOUNDS[class_of(90)]
    assert sum(sums[name] for name in WAITED) == sum(sums[name] for name in RAN) == 1
    assert sums[RAN[class_of(sums["seconds_run"])]] == 1
    assert 0 < sums["seconds_run"] < 90  # the wait isn't a part of it


def test_a_failed_attempt_is_kept_with_its_error_until_its_job_is_gone(standing_clock):
    job = jobs.enqueue(FailsTwice("a\nb"), queue="mail")
    worker = jobs.Worker(name="w")
    assert [worker.work_off(), tried_again(worker)] == [(0, 1), (0, 1)]
    first, second = FailedAttempt.objects.order_by("number")
    assert (first.number, first.is_last, first.is_counted) == (1, False, True)
    assert (second.number, second.is_last, second.is_counted) == (2, True, True)
    assert first.job_id == second.job_id == str(job.pk)
    assert (first.queue, first.name) == ("mail", f"{__name__}.FailsTwice")
    assert first.summary == "RuntimeError: a"
    assert first.error == row(job).last_error
    assert (first.worker, first.runner) == ("w", f"w@{first.epoch}")
    assert first.started_at is not None
    assert first.started_at <= first.failed_at
    assert second.epoch == first.epoch + 1
    Job.objects.filter(pk=job.pk).update(finished_at=first.failed_at - dt.timedelta(days=2))
    assert actions.prune(dt.timedelta(days=1)) == 1
    assert not FailedAttempt.objects.exists()


@pytest.mark.parametrize("deletes", [True, False])
def test_attempts_go_with_a_job_that_succeeds_at_last_unless_it_is_kept(deletes, settings):
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": 0 if deletes else 60}
    job = jobs.enqueue(FailsAtFirst())
    worker = jobs.Worker()
    assert worker.work_off() == (0, 1)
    assert FailedAttempt.objects.count() == 1
    assert tried_again(worker) == (1, 0)
    assert (row(job) is None) is deletes
    assert FailedAttempt.objects.count() == (0 if deletes else 1)


class FailsAtFirst(jobs.Performable):
    def before(self, job: Job) -> None:
        if not job.attempts:
            raise ValueError("not yet")

    def perform(self) -> None: ...

    def reschedule_at(self, now: dt.datetime, attempts: int) -> dt.datetime:
        return now + dt.timedelta(hours=1)


def test_a_dead_execution_is_counted_by_who_finds_it():
    job = jobs.enqueue(Record())
    Job.objects.reserve(jobs.Worker(name="dead"))
    worker = jobs.Worker(name="w")
    ago = store_for(Job).now() - dt.timedelta(hours=1)
    Job.objects.filter(pk=job.pk).update(
        locked_at=ago, heartbeat_at=ago, started_at=ago - dt.timedelta(seconds=45)
    )
    assert worker.work_off() == (0, 0)
    assert row(job).state == State.SCHEDULED
    assert counted() == {("default", RECORD): (0, 0, 1)}
    [sums] = keyed_for(Activity).sums({}, [], ["seconds_run"])
    assert sums["seconds_run"] == pytest.approx(45, abs=0.1)  # not the silence after it
    attempt = FailedAttempt.objects.get()
    assert (attempt.worker, attempt.runner) == ("w", "dead@0")
    assert attempt.summary.startswith("Lost: The worker dead")


def test_an_unlocked_job_is_counted_at_once():
    job = jobs.enqueue(Record())
    Job.objects.reserve(jobs.Worker(name="w"))
    actions.unlock(row(job))
    assert counted() == {("default", RECORD): (0, 0, 1)}
    assert FailedAttempt.objects.count() == 1


def test_what_is_not_an_attempt_is_counted_as_none(settings):
    unsigned, unknown = jobs.enqueue(Record()), jobs.enqueue(Record())
    Job.objects.filter(pk=unsigned.pk).update(signature="x")
    handler = unknown.handler.replace("Record", "Unheard")
    from jobs import payloads

    Job.objects.filter(pk=unknown.pk).update(handler=handler, signature=payloads.sign(handler))
    jobs.Worker().work_off()
    assert row(unsigned).state == State.FAILED
    assert row(unknown).state == State.SCHEDULED  # left to newer code
    assert counted() == {("default", RECORD): (0, 1, 0)}
    attempt = FailedAttempt.objects.get()
    assert (attempt.job_id, attempt.is_counted, attempt.is_last) == (str(unsigned.pk), False, True)


def test_nothing_is_kept_if_the_settings_say_so(settings):
    settings.JOBS = {"KEEP_ACTIVITY_FOR": 0, "KEEP_ATTEMPTS_FOR": 0}
    jobs.enqueue_many([Record(), FailsTwice()])
    jobs.Worker().work_off()
    assert not Activity.objects.exists()
    assert not FailedAttempt.objects.exists()


def test_old_activity_and_attempts_are_deleted_by_the_workers_maintenance(settings):
    settings.JOBS = {"MAX_ATTEMPTS": 1}
    jobs.enqueue_many([Record(), Fail()])
    worker = jobs.Worker()
    assert worker.work_off() == (1, 1)
    assert Activity.objects.exists()
    [_, pruner] = worker._reaper._chores
    old = store_for(Job).now() - dt.timedelta(days=29)
    store_for(Activity).change_many({}, {"minute": old})
    store_for(FailedAttempt).change_many({}, {"failed_at": old})
    pruner._next = 0
    worker.work_off()
    assert Activity.objects.exists()
    assert FailedAttempt.objects.exists()
    settings.JOBS = {"KEEP_ACTIVITY_FOR": 86_400, "KEEP_ATTEMPTS_FOR": 86_400}
    pruner._next = 0
    worker.work_off()
    assert not Activity.objects.exists()
    assert not FailedAttempt.objects.exists()


# Off the path, and no harm


class Away:
    """In place of a Notes' write: the tables don't take it."""

    def __init__(self, monkeypatch, error):
        self.calls, self.error = 0, error
        monkeypatch.setattr(notes.Notes, "write", lambda _: self())
        self._monkeypatch = monkeypatch

    def __call__(self):
        self.calls += 1
        raise self.error

    def back(self):
        self._monkeypatch.undo()


def test_a_journal_that_cannot_be_written_harms_no_job_and_complains_once(monkeypatch, caplog):
    away = Away(monkeypatch, RuntimeError("no such table"))
    jobs.enqueue_many([Record(), FailForNow()])
    worker = jobs.Worker()
    assert worker.work_off() == (1, 1)
    jobs.enqueue(Record())
    assert worker.work_off() == (1, 0)
    assert away.calls == 2
    assert caplog.text.count("can't be recorded for the person on call") == 1


def test_what_a_database_that_is_away_did_not_take_is_written_later(monkeypatch):
    error = next(iter(store_for(Job).unavailable))("away")
    away = Away(monkeypatch, error)
    jobs.enqueue_many([Record(), FailForNow()])
    worker = jobs.Worker()
    monkeypatch.setattr(type(store_for(Job)), "is_unavailable", lambda self, found: found is error)
    assert worker.work_off() == (1, 1)
    assert away.calls == 1
    away.back()
    worker.work_off()
    assert counted() == {("default", RECORD): (1, 0, 0), ("default", FOR_NOW): (0, 0, 1)}
    assert FailedAttempt.objects.count() == 1


def test_many_classes_and_many_failures_take_bounded_memory(monkeypatch, caplog):
    monkeypatch.setattr(notes, "MOST_KINDS", 5)
    monkeypatch.setattr(notes, "MOST_ATTEMPTS", 3)
    monkeypatch.setattr(notes, "MOST_GONE", 4)
    monkeypatch.setattr(notes, "time", SimpleNamespace(time=lambda: 1.8e9))  # one minute
    kept = Journal()
    for number in range(20):
        job = Job(pk=store_for(Job).id_of(str(number)) or number, queue=f"q{number}", attempts=1)
        kept.succeeded(job, 1.0)
        kept.failed(job, kept.attempt(job, "w", ValueError(str(number))))
    assert len(kept._notes._sums) == 6
    assert len(kept._notes._attempts) == 3
    assert len(kept._notes._gone) == 4
    again = notes.Notes()
    again.put_back(kept._notes)
    assert (len(again._sums), len(again._attempts), len(again._gone)) == (6, 3, 4)
    assert sum(sums[0] for sums in again._sums.values()) == 20  # none is lost
    kept.write()
    assert "17 failed attempts are not recorded" in caplog.text
    assert sum(performed for performed, _, _ in counted().values()) == 20


@pytest.mark.parametrize("kind", ["unprintable", "huge", "binary", "exit", "interrupt"])
def test_hostile_names_and_errors_are_written_all_the_same(kind):
    job = jobs.enqueue(Raise(kind), queue="q\n\x1b")
    jobs.Worker().work_off()
    assert counted() == {("q\n\x1b", "tests.samples.Raise"): (0, 0, 1)}
    attempt = FailedAttempt.objects.get()
    assert attempt.job_id == str(job.pk)
    assert attempt.error == row(job).last_error
    assert 0 < len(attempt.summary) <= 255


# Processes


def test_a_worker_writes_while_it_runs_and_the_rest_at_its_end(start):
    process = start("jobworker", "--name", "w", **LONG)
    jobs.enqueue_many([Record() for _ in range(5)])
    wait_for(lambda: counted() == {("default", RECORD): (5, 0, 0)}, what="written meanwhile")
    assert process.popen.poll() is None
    jobs.enqueue(FailForNow())
    wait_for(lambda: Job.objects.filter(attempts=1).exists())
    process.send(15)
    assert process.wait() == 0
    assert counted()[("default", FOR_NOW)] == (0, 0, 1)
    assert FailedAttempt.objects.count() == 1


def test_processes_that_write_the_same_minute_add_up(start):
    jobs.enqueue_many([Record(number) for number in range(60)])
    command = ("jobworker", "--exit-on-complete", "--concurrency", "2")
    workers = [start(*command, **LONG) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert counted() == {("default", RECORD): (60, 0, 0)}
    [sums] = keyed_for(Activity).sums({}, [], [*RAN, *WAITED])
    assert sum(sums[name] for name in RAN) == sum(sums[name] for name in WAITED) == 60


def test_a_container_writes_its_outcome_before_it_ends(start):
    done, failed = jobs.enqueue(Record()), jobs.enqueue(Fail())
    assert start("runjob", str(done.pk)).wait() == 0
    assert start("runjob", str(failed.pk)).wait() == 1
    assert counted() == {("default", RECORD): (1, 0, 0), ("default", FAIL): (0, 0, 1)}
    assert FailedAttempt.objects.get().job_id == str(failed.pk)


def test_the_thread_ends_when_there_is_nothing_to_write(monkeypatch):
    monkeypatch.setattr(journals, "INTERVAL", 0.01)
    monkeypatch.setattr(journals, "IDLE", math.inf)
    with Journal() as kept:
        kept.succeeded(Job(pk=store_for(Job).id_of("1") or 1), 1.0)
        thread = kept._thread
        assert thread is not None
        monkeypatch.setattr(journals, "IDLE", 3)
        thread.join(120)
        assert not thread.is_alive()
        kept.succeeded(Job(pk=store_for(Job).id_of("1") or 1), 1.0)
        assert kept._thread is not thread
    # It says that it ends before it has.
    wait_for(lambda: not any(one.name == "jobs-journal" for one in threading.enumerate()))
    assert sum(performed for performed, _, _ in counted().values()) == 2
    connections.close_all()
