"""What is asked of the database and of AWS Batch about the jobs of a process."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

import jobs
from batchexec.process.crew import Crew
from batchexec.process.poller import Poller, _chosen
from batchexec.process.rows import Rows, _tell
from batchexec.process.watches import Rounds, Watch, Watches
from bench.following import calls_in_an_hour
from jobs.models import Job, State
from jobs.store import store_for
from tests.processes import wait_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
RUNNING, RUNNABLE = {"jobId": "b-1", "status": "RUNNING"}, {"jobId": "b-1", "status": "RUNNABLE"}


@pytest.fixture(autouse=True)
def intervals(settings):
    settings.BATCHEXEC = {"POLL_INTERVAL": 5, "POLL_LONGEST": 60}
    settings.JOBS = {"LEASE": 60}


def reserved(number: int = 1) -> list[Job]:
    jobs.enqueue_many([Record(n) for n in range(number)])
    Job.objects.filter(state=State.READY).update(state=State.RUNNING, locked_by="w")
    return list(Job.objects.order_by("pk"))


def looked_at(job: Job, **changes: Any) -> Watch:
    """A watch of the job, after a look at its row as it was changed."""
    watch = Watch("b-1", job)
    Job.objects.filter(pk=job.pk).update(**changes)
    _tell(Job, [watch])
    return watch


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": 1},
        {"state": State.DETACHED},
        {"locked_by": "another"},
        {"state": State.CANCELLED, "epoch": 1},
    ],
)
def test_a_row_that_is_not_this_watchers_any_more_wakes_its_slot(changes):
    (job,) = reserved()
    watch = looked_at(job, **changes)
    assert watch.row_has_moved
    assert watch.changed.is_set()


def test_a_row_that_is_gone_wakes_its_slot_and_one_that_goes_on_does_not():
    gone, goes_on = reserved(2)
    Job.objects.filter(pk=gone.pk).delete()
    first, second = Watch("b-1", gone), Watch("b-2", goes_on)
    _tell(Job, [first, second])
    assert (first.row_has_moved, second.row_has_moved) == (True, False)
    assert (first.changed.is_set(), second.changed.is_set()) == (True, False)


@pytest.mark.usefixtures("known_clock")
def test_all_rows_are_read_by_one_statement_without_their_payloads():
    if connection.vendor in ("mongodb", "djongo"):
        pytest.skip("Django's query log has SQL only.")
    watches = [Watch(f"b-{job.pk}", job) for job in reserved(300)]
    with CaptureQueriesContext(connection) as captured:
        _tell(Job, watches)
    (query,) = captured
    assert "handler" not in query["sql"]
    assert not any(watch.row_has_moved for watch in watches)


def pauses(watch: Watch, detail: Any, number: int, began: float) -> list[int]:
    """The seconds from each of some polls to the next, if AWS always says the same."""
    found, now = [], began
    for _ in range(number):
        watch.tell(detail, now, now)
        found.append(round(watch.due - now))
        now = watch.due
    return found


def test_aws_is_asked_often_about_a_young_job_and_seldom_about_one_that_runs_and_beats():
    (job,) = reserved()
    began = time.monotonic()
    waiting = Watch("b-1", job)
    assert pauses(waiting, RUNNABLE, 5, began) == [5] * 5
    assert pauses(waiting, RUNNABLE, 40, waiting.due)[-1] > 20
    beats = looked_at(job, runner="b-1/1@0#n", heartbeat_at=store_for(Job).now())
    assert pauses(beats, RUNNING, 6, began) == [5, 10, 30, 60, 60, 60]


def test_a_runner_that_falls_silent_is_asked_about_at_each_look_at_once():
    (job,) = reserved()
    now = store_for(Job).now()
    watch = looked_at(job, runner="b-1/1@0#n", heartbeat_at=now)
    assert pauses(watch, RUNNING, 6, time.monotonic())[-1] == 60
    Job.objects.filter(pk=job.pk).update(heartbeat_at=now - dt.timedelta(seconds=31))
    _tell(Job, [watch])
    assert watch.due == 0.0
    assert pauses(watch, RUNNING, 20, time.monotonic()) == [5] * 20


def test_a_runner_of_another_batch_job_is_no_sign_of_life_of_this_one():
    (job,) = reserved()
    watch = looked_at(job, runner="b-2/1@0#n", heartbeat_at=store_for(Job).now())
    assert pauses(watch, RUNNING, 20, time.monotonic()) == [5] * 20


def test_an_end_that_the_row_does_not_confirm_is_asked_about_at_each_look():
    (job,) = reserved()
    watch = looked_at(job, runner="b-1/1@0#n", heartbeat_at=store_for(Job).now())
    assert pauses(watch, {"jobId": "b-1", "status": "FAILED"}, 20, time.monotonic()) == [5] * 20


def test_a_call_is_filled_with_those_that_are_due_next():
    now = time.monotonic()
    watches = [Watch(f"b-{n:03}") for n in range(250)]
    for place, watch in enumerate(watches):
        watch.due = now + 10 + place
    assert _chosen(watches, now) == set()
    for watch in watches[200:203]:
        watch.due = now
    chosen = _chosen(watches, now)
    assert len(chosen) == 100
    assert {watch.batch_job_id for watch in (*watches[:97], *watches[200:203])} == chosen


def test_a_thousand_jobs_of_an_hour_take_a_tenth_of_the_calls():
    """By the real poller, on a simulated clock."""
    before, after = calls_in_an_hour(200, 5.0), calls_in_an_hour(200, 60.0)
    assert before >= 2 * 3600 / 5.5
    assert after <= before / 10


def test_a_look_at_the_rows_that_fails_changes_nothing_and_is_said_once(monkeypatch, caplog):
    (job,) = reserved()
    watch, crew = Watch("b-1", job), Crew(1, "a-test")
    rows = Rows(crew)

    def away(*arguments: Any) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patched:
        patched.setattr(store_for(Job), "glance", away)
        for _ in range(3):
            assert 0 < rows.look([watch]) <= 5
    assert not watch.row_has_moved
    assert not watch.changed.is_set()
    said = [one for one in caplog.records if "can't be read now" in one.getMessage()]
    assert len(said) == 1
    Job.objects.all().delete()
    rows.look([watch])
    assert watch.row_has_moved


def test_the_threads_end_with_the_last_watch_and_begin_with_the_next(settings):
    settings.BATCHEXEC = {"POLL_INTERVAL": 0.1}
    looks: list[int] = []
    watches = Watches(
        Rounds("a-test-round", lambda found: looks.append(len(found)) or 0.05, eager=True)
    )

    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "a-test-round"]

    for _ in range(2):
        first, second = watches.begin("b-1"), watches.begin("b-2")
        wait_for(lambda: 2 in looks, what="both were looked at")
        watches.end(first)
        watches.end(second)
        watches.end(second)
        wait_for(lambda: not threads(), what="the thread ended")
        looks.clear()


def test_a_poll_that_fails_changes_nothing_that_is_known():
    class Away:
        def describe(self, ids: list[str]) -> dict[str, Any]:
            raise OSError("away")

    client: Any = Away()
    watch = Watch("b-1")
    watch.tell(RUNNING, time.monotonic(), time.monotonic())
    watch.due = 0.0
    assert Poller(client).look([watch]) > 5
    assert (watch.detail, watch.polled, watch.unknown_since) == (RUNNING, 1, None)
