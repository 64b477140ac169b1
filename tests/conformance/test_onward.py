"""A slot that ends a job and goes straight on to the next does both in one step, with
everything that holds of the two by themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

import jobs
from jobs.models import Job, State
from jobs.process import reaper
from jobs.store import store_for
from jobs.store.statements import Statements
from tests.samples import Fail, Record, calls

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor in ("mongodb", "djongo"),
        reason="MongoDB has no command that writes one document and returns another",
    ),
]

on_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="locks of one row")


@dataclass
class Do(jobs.Performable):
    """Has the test's own function called while it is performed."""

    name: str

    def perform(self) -> None:
        calls.append(self.name)
        todo.pop(self.name, lambda: None)()


@dataclass
class AtOnce(Fail):
    """Is due again at once."""

    def reschedule_at(self, now: Any, attempts: int) -> Any:
        calls.append("again")
        return now


todo: dict[str, Callable[[], Any]] = {}


@pytest.fixture(autouse=True)
def _nothing_to_do() -> Iterator[None]:
    todo.clear()
    yield
    todo.clear()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The keys of the jobs whose outcomes went together with a claim."""
    store, found = store_for(Job), []
    original = store.end_and_claim

    def noted(pk: Any, *args: Any) -> Any:
        found.append(pk)
        return original(pk, *args)

    monkeypatch.setattr(store, "end_and_claim", noted)
    return found


def enqueue(*names: str, **options: Any) -> list[Job]:
    return jobs.enqueue_many([Do(name) for name in names], **options)


# What becomes of the two jobs


@pytest.mark.parametrize("kept", [0, 60])
def test_a_success_ends_and_the_next_job_is_this_workers(steps, settings, kept):
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": kept}
    first, second = enqueue("first", "second")
    seen: list[Any] = []

    def look() -> None:
        seen.extend(Job.objects.order_by("pk"))

    todo["second"] = look
    assert jobs.Worker(name="w").work_off() == (2, 0)
    assert steps == [first.pk, second.pk]
    running = seen.pop()
    assert (running.pk, running.state, running.locked_by, running.runner) == (
        second.pk,
        State.RUNNING,
        "w",
        "w@0",
    )
    assert running.started_at == running.heartbeat_at == running.locked_at is not None
    assert [(job.pk, job.state, job.epoch, job.locked_by, job.runner) for job in seen] == (
        [(first.pk, State.SUCCEEDED, 1, "", "")] if kept else []
    )


def test_a_failed_attempt_is_rescheduled_and_the_next_job_is_performed(steps):
    failing, good = jobs.enqueue(Fail()), jobs.enqueue(Record("good"))
    assert jobs.Worker().work_off() == (1, 1)
    assert steps == [failing.pk, good.pk]
    job = Job.objects.get()
    assert (job.pk, job.state, job.attempts, job.epoch) == (failing.pk, State.SCHEDULED, 1, 1)
    assert (job.locked_by, job.locked_at, job.runner, job.heartbeat_at) == ("", None, "", None)
    assert "RuntimeError: it broke" in job.last_error
    assert calls == ["good"]


def test_what_is_due_again_at_once_waits_its_turn(steps):
    failing, good = jobs.enqueue(AtOnce(), priority=-1), jobs.enqueue(Record("good"))
    assert jobs.Worker().work_off() == (1, 1)
    assert calls == ["again", "good"]
    assert Job.objects.get().state == State.SCHEDULED
    assert steps == [failing.pk, good.pk]


def test_a_job_that_failed_for_good_is_recorded_before_its_hook_and_the_next_claim(steps, settings):
    settings.JOBS = {"MAX_ATTEMPTS": 1}
    failing, good = jobs.enqueue(Fail()), jobs.enqueue(Record("good"))
    assert jobs.Worker().work_off() == (1, 1)
    assert Job.objects.get().state == State.FAILED
    assert failing.pk not in steps
    assert steps == [good.pk]


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"state": State.CANCELLED, "epoch": 1},
        {"state": State.SCHEDULED, "epoch": 1, "runner": ""},
        {"runner": "another"},
    ],
)
def test_an_outcome_that_is_not_this_executions_is_dropped_and_the_next_job_performed(
    steps, caplog, meanwhile
):
    first, _second = enqueue("first", "second")
    todo["first"] = lambda: Job.objects.filter(pk=first.pk).update(**meanwhile)
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["first", "second"]
    assert len(steps) == 2
    assert "its outcome is dropped" in caplog.text
    job = Job.objects.get()
    assert job.pk == first.pk
    assert job.epoch == meanwhile.get("epoch", 0)
    assert job.state == meanwhile.get("state", State.RUNNING)


# Order


def test_the_next_job_is_the_first_of_the_queue_at_that_moment(steps):
    enqueue("first", "third", "fourth")
    todo["first"] = lambda: enqueue("second", priority=-1)
    todo["third"] = lambda: enqueue("last", priority=5)
    assert jobs.Worker().work_off() == (5, 0)
    assert calls == ["first", "second", "third", "fourth", "last"]
    assert len(steps) == 5


def test_only_jobs_of_the_workers_queues_and_priorities_follow(steps):
    enqueue("a 1", "a 2", queue="a")
    enqueue("other", queue="c", priority=-5)
    enqueue("b 1", queue="b")
    enqueue("too late", queue="a", priority=9)
    enqueue("too early", queue="b", priority=-9)
    worker = jobs.Worker(queues=["a", "b"], min_priority=-1, max_priority=1)
    assert worker.work_off() == (3, 0)
    assert calls == ["a 1", "a 2", "b 1"]
    assert len(steps) == 3
    left = Job.objects.filter(state=State.READY, locked_by="")
    assert sorted(job.payload.name for job in left) == ["other", "too early", "too late"]


def test_a_scheduled_job_is_promoted_before_it_follows(steps):
    enqueue("first")
    enqueue("later", run_at=timezone.now() + timezone.timedelta(hours=1))
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["first"]
    assert len(steps) == 1


# What stands between


class AroundPerform(jobs.Plugin):
    def around_perform(self, worker: Any, job: Any, proceed: Callable[[], Any]) -> Any:
        return proceed()


class AfterPerform(jobs.Plugin):
    def after_perform(self, worker: Any, job: Any) -> None:
        running = Job.objects.filter(state=State.RUNNING).count()
        calls.append(f"{running} running")


class AfterError(jobs.Plugin):
    def after_error(self, worker: Any, job: Any) -> None:
        calls.append("after error")


class BeforePerform(jobs.Plugin):
    def before_perform(self, worker: Any, job: Any) -> None: ...

    def around_invoke_job(self, job: Any, proceed: Callable[[], Any]) -> Any:
        return proceed()


class HandsOver(jobs.Plugin):
    hands_over = True


@pytest.mark.parametrize(
    "options",
    [
        {"plugins": [AroundPerform]},
        {"plugins": [AfterPerform]},
        {"plugins": [HandsOver]},
        {"concurrency": 2},
    ],
    ids=str,
)
def test_what_comes_between_two_jobs_keeps_them_apart(steps, options):
    enqueue("first", "second", "third")
    assert jobs.Worker(**options).work_off() == (3, 0)
    assert steps == []
    assert "1 running" not in calls


def test_a_plugin_that_hears_of_failures_comes_before_the_next_claim(steps):
    failing, good = jobs.enqueue(Fail()), jobs.enqueue(Record("good"))
    assert jobs.Worker(plugins=[AfterError]).work_off() == (1, 1)
    assert calls == ["after error", "good"]
    assert failing.pk not in steps
    assert good.pk in steps


def test_a_plugin_that_comes_before_the_outcome_stands_in_no_ones_way(steps):
    enqueue("first", "second")
    assert jobs.Worker(plugins=[BeforePerform]).work_off() == (2, 0)
    assert len(steps) == 2


def test_no_more_jobs_follow_than_a_pass_may_take(steps):
    enqueue("first", "second", "third")
    assert jobs.Worker().work_off(2) == (2, 0)
    assert len(steps) == 1
    assert Job.objects.get().state == State.READY


def test_nothing_follows_a_job_during_which_the_worker_was_stopped(steps):
    enqueue("first", "second")
    worker = jobs.Worker()
    todo["first"] = worker.stop
    assert worker.work_off() == (1, 0)
    assert steps == []
    assert Job.objects.get().state == State.READY


def test_a_job_that_was_claimed_as_the_worker_was_stopped_is_performed(monkeypatch):
    enqueue("first", "second", "third")
    worker, store = jobs.Worker(), store_for(Job)
    original = store.end_and_claim

    def stopped_meanwhile(*args: Any) -> Any:
        found = original(*args)
        worker.stop()
        return found

    monkeypatch.setattr(store, "end_and_claim", stopped_meanwhile)
    assert worker.work_off() == (2, 0)
    assert calls == ["first", "second"]
    assert Job.objects.get().state == State.READY


def test_maintenance_that_is_due_comes_first(steps, monkeypatch):
    monkeypatch.setattr(reaper, "MAINTENANCE_INTERVAL", 0)
    enqueue("first", "second")
    due = enqueue("due", priority=-1, run_at=timezone.now() + timezone.timedelta(hours=1))[0]
    past = timezone.now() - timezone.timedelta(hours=1)
    todo["first"] = lambda: Job.objects.filter(pk=due.pk).update(run_at=past)
    assert jobs.Worker().work_off() == (3, 0)
    assert calls == ["first", "due", "second"]
    assert steps == []


def test_a_transaction_of_the_caller_is_left_alone(steps):
    with transaction.atomic():
        enqueue("first", "second")
        assert jobs.Worker().work_off() == (2, 0)
        assert connection.in_atomic_block
    assert steps == []


def test_a_job_that_is_performed_by_itself_is_followed_by_none(steps):
    enqueue("first", "second")
    worker = jobs.Worker()
    assert worker.run(Job.objects.reserve(worker)) is True
    assert steps == []
    assert Job.objects.get().state == State.READY


# Answers that don't come, and steps that can't be made


def lose_answer(monkeypatch: pytest.MonkeyPatch, *, carried_out: bool) -> list[str]:
    """The database is away for the next step, after it or before; returns what it
    was.
    """
    store, lost = store_for(Job), []
    original = store.end_and_claim

    def once(*args: Any) -> Any:
        monkeypatch.setattr(store, "end_and_claim", original)
        lost.append("the answer" if carried_out and original(*args) else "the step")
        raise store.unavailable[0]("the connection broke")

    monkeypatch.setattr(store, "end_and_claim", once)
    monkeypatch.setattr(store, "_reached_at", float("-inf"))
    return lost


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("kept", [0, 60])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_success_and_a_claim_without_an_answer_are_both_found(
    monkeypatch, settings, caplog, carried_out, kept, number
):
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": kept}
    names = ["first", "second", "third"][:number]
    enqueue(*names)
    lost = lose_answer(monkeypatch, carried_out=carried_out)
    assert jobs.Worker().work_off() == (number, 0)
    assert calls == names
    assert lost == ["the answer" if carried_out else "the step"]
    assert "dropped" not in caplog.text
    rows = Job.objects.all()
    assert [(job.state, job.epoch) for job in rows] == [(State.SUCCEEDED, 1)] * (
        number if kept else 0
    )


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_failed_attempt_and_a_claim_without_an_answer_are_both_found(
    monkeypatch, caplog, carried_out
):
    jobs.enqueue(Fail())
    enqueue("second", "third")
    assert lose_answer(monkeypatch, carried_out=carried_out) == []
    assert jobs.Worker().work_off() == (2, 1)
    assert calls == ["second", "third"]
    assert "dropped" not in caplog.text
    job = Job.objects.get()
    assert (job.state, job.attempts, job.epoch) == (State.SCHEDULED, 1, 1)


def test_a_job_that_was_claimed_without_an_answer_is_found_however_late(monkeypatch):
    """The outcome is offered for as long as the database is away; so is the claim."""
    enqueue("first", "second")
    store = store_for(Job)
    away = [store.unavailable[0]("still away") for _ in range(3)]
    lose_answer(monkeypatch, carried_out=True)
    monkeypatch.setattr("jobs.store.patience.FIRST_PAUSE", 0.01)
    delete = store.delete

    def late(*args: Any) -> bool:
        if away:
            raise away.pop()
        return delete(*args)

    monkeypatch.setattr(store, "delete", late)
    assert jobs.Worker().work_off() == (2, 0)
    assert calls == ["first", "second"]
    assert away == []


def test_an_outcome_without_an_answer_that_was_given_up_is_dropped_and_the_next_one_performed(
    monkeypatch, caplog
):
    first, _ = enqueue("first", "second")
    store = store_for(Job)
    original = store.end_and_claim

    def cancelled_meanwhile(*args: Any) -> Any:
        monkeypatch.setattr(store, "end_and_claim", original)
        Job.objects.filter(pk=first.pk).update(state=State.CANCELLED, epoch=1)
        raise store.unavailable[0]("the connection broke")

    monkeypatch.setattr(store, "end_and_claim", cancelled_meanwhile)
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["first", "second"]
    assert "its outcome is dropped" in caplog.text
    assert Job.objects.get().state == State.CANCELLED


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The database refuses the next claim that goes with an outcome."""
    left, store = ["a refusal"], store_for(Job)
    step = store.end_and_claim

    def refusing(*args: Any) -> Any:
        with monkeypatch.context() as patched:
            if left:
                left.clear()
                nothing = "UPDATE nowhere SET epoch = 0 RETURNING epoch"
                patched.setattr(Statements, "claim", lambda *args: (nothing, {}))
            return step(*args)

    monkeypatch.setattr(store, "end_and_claim", refusing)
    return left


@pytest.mark.parametrize("job", [Record("first"), Fail()])
def test_an_outcome_is_recorded_even_if_the_claim_that_goes_with_it_fails(refused, caplog, job):
    jobs.enqueue(job)
    enqueue("second", "third")
    fails = isinstance(job, Fail)
    assert jobs.Worker().work_off() == (2 if fails else 3, fails)
    assert refused == []
    assert calls[-2:] == ["second", "third"]
    assert "can't be recorded" not in caplog.text
    assert [(job.state, job.attempts) for job in Job.objects.all()] == (
        [(State.SCHEDULED, 1)] if fails else []
    )
    if connection.vendor == "sqlite":
        assert not connection.connection.in_transaction


def test_a_row_that_cannot_be_read_costs_neither_the_outcome_before_it_nor_the_jobs_after_it(steps):
    enqueue("first")
    broken = enqueue("broken")[0]
    enqueue("last")
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "UPDATE jobs_job SET name = CAST(%s AS TEXT) WHERE id = %s", [b"\xff", broken.pk]
            )
        else:
            text = "UPDATE jobs_job SET created_at = 'infinity' WHERE id = %s"
            cursor.execute(text, [broken.pk])
    assert jobs.Worker().work_off() == (2, 1)
    assert calls == ["first", "last"]
    job = Job.objects.get()
    assert (job.pk, job.state) == (broken.pk, State.FAILED)
    assert len(steps) >= 2


def test_a_job_that_makes_its_own_row_ready_is_not_claimed_by_the_step_that_ends_it(steps):
    """The step's claim sees the row as it was before the step."""
    first, _ = enqueue("first", "second")

    def make_ready() -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE jobs_job SET state = 'ready' WHERE id = %s", [first.pk])
            assert cursor.rowcount == 1

    todo["first"] = make_ready
    assert jobs.Worker().work_off(2) == (2, 0)
    assert calls == ["first", "second"]
    assert steps[0] == first.pk
    assert not Job.objects.exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a trigger of SQLite")
def test_a_job_of_which_no_outcome_can_be_written_is_performed_once(caplog):
    """Its row is still this worker's, as after a claim without an answer."""
    first, _ = enqueue("first", "second")
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TRIGGER refuses BEFORE DELETE ON jobs_job WHEN OLD.id = {first.pk}"
            " BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        cursor.execute(
            f"CREATE TRIGGER fails BEFORE UPDATE OF state ON jobs_job WHEN OLD.id = {first.pk}"
            " AND NEW.state = 'failed' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    try:
        assert jobs.Worker().work_off(5) == (1, 0)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refuses")
            cursor.execute("DROP TRIGGER fails")
    assert "can't be made to fail" in caplog.text
    assert calls == ["first", "second"]
    assert Job.objects.get().state == State.RUNNING  # until its lease expires


@on_postgres
def test_a_job_whose_row_somebody_has_locked_is_passed_over(steps):
    _, held, _ = enqueue("first", "held", "third")
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(Job.objects.select_for_update().filter(pk=held.pk))
                locked.set()
                done.wait(300)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)

    def lock() -> None:
        thread.start()
        assert locked.wait(120)

    todo["first"] = lock
    try:
        assert jobs.Worker().work_off() == (2, 0)
    finally:
        done.set()
        thread.join(120)
    assert calls == ["first", "third"]
    assert len(steps) == 2
    assert Job.objects.get().state == State.READY
