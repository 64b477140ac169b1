"""What a job costs the database: counted with the driver's own listener on MongoDB,
with Django's query log elsewhere.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import jobs
from jobs.enqueueing import BATCH_SIZE
from jobs.models import Activity, FailedAttempt, Job
from jobs.process import pauses
from jobs.process.forgetting import Forgetting
from jobs.store import limits
from tests.samples import Fail, Record

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("known_clock")]

#: The statements, of no weight, that limit how long another's lock is waited for.
LIMIT = {"postgresql": 3}.get(connection.vendor, 0)
#: Those before and after a write of what is kept for people. On PostgreSQL, a savepoint
#: is in them.
LIMITED = {"postgresql": (3, 2)}.get(connection.vendor, (0, 0))
#: Promotion, reaping and what is paused. The last is read every five seconds, within a
#: limit, because somebody may have locked its table.
BEFORE = 3 + LIMIT
#: What is kept for the person on call, which is written off the path of jobs.
RECORDS = [model._meta.db_table for model in (Activity, FailedAttempt)]

Count = Callable[[], list[str]]


@pytest.fixture
def counting() -> Iterator[Callable[..., object]]:
    """A context manager that gives the statements sent within it."""
    if connection.vendor != "mongodb":

        @contextmanager
        def count():
            with CaptureQueriesContext(connection) as captured:
                sent: list[str] = []
                yield sent
            # A statement of PostgreSQL's that does both begins with WITH.
            sent += [sql.split()[0].upper() for sql in _counted([q["sql"] for q in captured])]

        yield count
        return
    from pymongo import monitoring

    class Listener(monitoring.CommandListener):
        def __init__(self):
            self.sent: list[str] = []
            self.thread = threading.get_ident()

        def started(self, event):
            if threading.get_ident() != self.thread:
                return  # a heartbeat, which comes where a test takes long
            about = str(event.command.get(event.command_name))
            if event.command_name != "hello" and about not in RECORDS:  # the driver's own
                self.sent.append(event.command_name)

        def succeeded(self, event): ...

        def failed(self, event): ...

    listener = Listener()
    connection.close_pool()
    options = connection.settings_dict.setdefault("OPTIONS", {})
    options["event_listeners"] = [listener]

    @contextmanager
    def count_commands():
        connection.ensure_connection()
        listener.sent.clear()
        sent: list[str] = []
        yield sent
        sent += listener.sent

    try:
        yield count_commands
    finally:
        connection.close_pool()
        del options["event_listeners"]


def _counted(statements: list[str]) -> list[str]:
    """Without those of what is kept for people, each with its limit around it."""
    left_out: set[int] = set()
    for place, sql in enumerate(statements):
        if any(table in sql for table in RECORDS):
            left_out.update(range(place - LIMITED[0], place + LIMITED[1] + 1))
    return [sql for place, sql in enumerate(statements) if place not in left_out]


@pytest.fixture(autouse=True)
def forget(monkeypatch) -> Callable[[jobs.Worker], None]:
    """What a worker does once a minute is left out, so that passes are alike."""
    original = Forgetting.do_if_due
    monkeypatch.setattr(Forgetting, "do_if_due", lambda self: None)
    return lambda worker: original(worker._reaper._chores[0])


@pytest.fixture(autouse=True)
def _never_in_vain(monkeypatch) -> None:
    """On a machine that is slow at that moment, a look that is given up is followed by
    a question whether the database answers.
    """
    monkeypatch.setattr(limits, "PATIENCE", 600.0)


@pytest.fixture
def _looks_once(monkeypatch) -> None:
    """A look at what is paused comes before the first job alone, like maintenance."""
    monkeypatch.setattr(pauses, "INTERVAL", math.inf)


@pytest.fixture
def work() -> ModuleType:
    """The tests' tasks of Django."""
    reason = "neither Django 6.0 nor the backport"
    pytest.importorskip("jobs.tasks", reason=reason, exc_type=ImportError)
    return import_module("tests.tasks.work")


def test_what_succeeded_is_forgotten_by_two_statements_a_minute(counting, forget, settings):
    """One looks for jobs of which failed attempts are kept, too."""
    worker = jobs.Worker()
    with counting() as sent:
        forget(worker)  # of the jobs that keep their result
        forget(worker)
    assert len(sent) == 2 + LIMIT
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": 60}
    with counting() as sent:
        forget(jobs.Worker())
    assert len(sent) == 2 * (2 + LIMIT)


def test_a_job_by_itself_costs_two_round_trips_and_its_enqueueing_one(counting):
    worker = jobs.Worker()
    with counting() as enqueued:
        jobs.enqueue(Record())
    assert len(enqueued) == 1
    with counting() as claimed:
        job = Job.objects.reserve(worker)
    assert len(claimed) == 1
    with counting() as finished:
        assert worker.run(job) is True
    assert len(finished) == 1


def test_a_task_of_django_costs_as_many(counting, work):
    work.add.enqueue(1)  # the queue is empty afterwards
    worker = jobs.Worker()
    assert worker.work_off() == (1, 0)
    with counting() as enqueued:
        work.add.enqueue(1)
    assert len(enqueued) == 1
    job = Job.objects.reserve(worker)
    with counting() as finished:
        assert worker.run(job) is True
    assert len(finished) == 1
    work.replies.append(ValueError())
    work.reply.enqueue()
    job = Job.objects.reserve(worker)
    with counting() as finished:
        assert worker.run(job) is False
    assert len(finished) == 1


def test_a_failed_attempt_costs_one_round_trip_too(counting):
    jobs.enqueue(Fail())
    worker = jobs.Worker()
    job = Job.objects.reserve(worker)
    with counting() as failed:
        assert worker.run(job) is False
    assert len(failed) == 1


def test_many_are_enqueued_in_one_round_trip_a_batch(counting):
    records = [Record(number) for number in range(BATCH_SIZE + BATCH_SIZE // 2)]
    with counting() as sent:
        jobs.enqueue_many(records)
    inserts = [statement for statement in sent if statement.lower() == "insert"]
    assert len(inserts) == statements_for(BATCH_SIZE) + statements_for(BATCH_SIZE // 2)
    # Where a batch takes several statements, they are a transaction.
    assert set(map(str.lower, sent)) <= {"insert", "begin", "commit", "savepoint", "release"}


def statements_for(rows: int) -> int:
    """One, where the database has no limit to a statement's parameters."""
    if connection.vendor != "sqlite":
        return 1
    # All rows have their other columns in common, which are sent once.
    differing = ("handler", "signature")
    common = len(Job._meta.concrete_fields) - 1 - len(differing)
    return -(-rows // ((connection.features.max_query_params - common) // len(differing)))


def test_a_pass_over_an_empty_queue_costs_four_and_the_limit_of_one_of_them(counting):
    """Promotion, reaping, what is paused, and a claim."""
    worker = jobs.Worker()
    with counting() as sent:
        assert worker.work_off() == (0, 0)
    assert len(sent) == BEFORE + 1


@pytest.mark.usefixtures("_looks_once")
def test_a_job_that_the_next_one_follows_costs_one_round_trip(counting):
    jobs.enqueue_many([Record(number) for number in range(100)])
    worker = jobs.Worker()
    with counting() as sent:
        assert worker.work_off(100) == (100, 0)
    # What comes before the first claim, once; that, the last outcome, and the rest.
    assert len(sent) == BEFORE + 2 + between(99)
    transactions = {"sqlite": 99, "postgresql": 1}  # of PostgreSQL, that of the limit
    assert sent.count("BEGIN") == sent.count("COMMIT") == transactions.get(connection.vendor, 0)


@pytest.mark.usefixtures("_looks_once")
def test_a_failed_attempt_that_the_next_job_follows_costs_one_round_trip(counting):
    jobs.enqueue_many([Fail(str(number)) for number in range(10)])
    worker = jobs.Worker()
    with counting() as sent:
        assert worker.work_off(10) == (0, 10)
    assert len(sent) == BEFORE + 2 + between(9)


@pytest.mark.usefixtures("_looks_once")
def test_a_task_that_the_next_one_follows_costs_one_round_trip(counting, work):
    for number in range(10):
        work.add.enqueue(number)
    worker = jobs.Worker()
    with counting() as sent:
        assert worker.work_off(10) == (10, 0)
    assert len(sent) == BEFORE + 2 + between(9)


@pytest.mark.usefixtures("_looks_once")
def test_what_is_kept_of_a_hundred_jobs_costs_two_statements_after_them(counting, monkeypatch):
    """One for the activity, one for the failed attempts; none while a job runs."""
    monkeypatch.setattr("tests.conformance.test_round_trips.RECORDS", [])
    jobs.enqueue_many([Record(number) for number in range(50)])
    jobs.enqueue_many([Fail() for number in range(50)])
    worker = jobs.Worker()
    with counting() as sent:
        assert worker.work_off(100) == (50, 50)
    assert len(sent) == BEFORE + 2 + between(99) + 2 * (1 + sum(LIMITED))
    with counting() as sent:
        worker.journal.write()
    assert sent == []


in_turn = connection.vendor == "sqlite"


def between(number: int) -> int:
    """How many statements there are from `number` jobs to the next ones."""
    if connection.vendor == "postgresql":
        return number
    # A transaction, which is no more than one write to the file; or MongoDB's two.
    return number * 4 if in_turn else number * 2
