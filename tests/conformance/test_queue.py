"""The queue's contract, the same on every database."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.utils import timezone

import jobs
from jobs import transitions
from jobs.models import Job, State
from jobs.store import store_for
from tests.handlers import set_handler
from tests.samples import Bare, Fail, Hooked, Raise, Record, Silent, Undecorated

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)
#: How close two clocks of this machine are at least.
CLOSE = dt.timedelta(seconds=2)


def the_job() -> Job:
    return Job.objects.get()


def set_rows(**changes: object) -> None:
    # A condition that is always true: djongo has no UPDATE without one.
    Job.objects.filter(epoch__gte=0).update(**changes)


def test_an_enqueued_job_is_performed_once_and_deleted(calls):
    job = jobs.enqueue(Record("hello"))
    assert (job.state, job.queue, job.priority, job.attempts) == (State.READY, "default", 0, 0)
    assert job.name == "tests.samples.Record"
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["hello"]
    assert not Job.objects.exists()


def test_a_claim_locks_the_job_and_names_the_runner():
    jobs.enqueue(Record())
    worker = jobs.Worker(name="$tricky worker")
    before = timezone.now()
    job = Job.objects.reserve(worker)
    after = timezone.now()
    row = the_job()
    for seen in (job, row):
        assert seen.state == State.RUNNING
        assert seen.locked_by == "$tricky worker"
        assert seen.runner == "$tricky worker@0"
        assert seen.started_at == seen.heartbeat_at == seen.locked_at
        assert before - CLOSE < seen.locked_at < after + CLOSE
    assert Job.objects.reserve(worker) is None


def test_order_is_priority_then_run_at_then_age(calls):
    now = timezone.now()
    for value, priority, run_at in [
        ("c", 5, now),
        ("b", 0, now),
        ("a", 0, now - HOUR),
        ("d", 5, now),
        ("first", -1, now),
    ]:
        jobs.enqueue(Record(value), priority=priority, run_at=run_at)
    jobs.Worker().work_off()
    assert calls == ["first", "a", "b", "c", "d"]


def test_a_worker_takes_only_its_queues_and_priorities(calls):
    for value, queue, priority in [
        ("a", "one", 0),
        ("b", "two", 0),
        ("c", "three", 0),
        ("d", "one", 9),
        ("e", "one", -9),
    ]:
        jobs.enqueue(Record(value), queue=queue, priority=priority)
    jobs.Worker(queues=["one", "two"], min_priority=-1, max_priority=1).work_off()
    assert sorted(calls) == ["a", "b"]
    jobs.Worker(queues=["one"], max_priority=1).work_off()
    assert calls[2:] == ["e"]


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (0, 0, [0]),
        (None, 0, [-5, 0]),
        (0, None, [0, 5]),
        (-5, 5, [-5, 0, 5]),
        (1, 4, []),
    ],
)
def test_bounds_of_priority_are_inclusive(calls, least, most, expected):
    for priority in (-5, 0, 5):
        jobs.enqueue(Record(priority), priority=priority)
    jobs.Worker(min_priority=least, max_priority=most).work_off()
    assert calls == expected


def test_a_job_for_later_waits_until_it_is_due(calls):
    job = jobs.enqueue(Record("later"), run_at=timezone.now() + HOUR)
    assert job.state == State.SCHEDULED
    assert jobs.Worker().work_off() == (0, 0)
    set_rows(run_at=timezone.now() - HOUR)
    assert jobs.Worker().work_off() == (1, 0)


def test_a_failed_attempt_is_rescheduled_with_its_error_and_back_off():
    jobs.enqueue(Fail("out of paper"))
    before = timezone.now()
    assert jobs.Worker().work_off() == (0, 1)
    job = the_job()
    assert (job.state, job.attempts, job.epoch) == (State.SCHEDULED, 1, 1)
    assert (job.locked_by, job.locked_at, job.runner, job.heartbeat_at) == ("", None, "", None)
    assert job.last_error.startswith("RuntimeError: out of paper")
    assert "tests/samples.py" in job.last_error
    passed = (timezone.now() - before).total_seconds()
    assert 5 < (job.run_at - before).total_seconds() < 7 + passed


def test_the_last_attempt_fails_for_good_and_the_row_is_kept(settings):
    settings.JOBS = {"MAX_ATTEMPTS": 2}
    jobs.enqueue(Fail())
    jobs.Worker().work_off()
    set_rows(run_at=timezone.now() - HOUR)
    jobs.Worker().work_off()
    job = the_job()
    assert (job.state, job.attempts, job.locked_by, job.runner) == (State.FAILED, 2, "", "")
    assert job.failed_at is not None
    assert jobs.Worker().work_off() == (0, 0)


def test_failed_jobs_are_deleted_where_the_setting_says_so(settings):
    settings.JOBS = {"MAX_ATTEMPTS": 1, "DESTROY_FAILED_JOBS": True}
    jobs.enqueue(Fail())
    assert jobs.Worker().work_off() == (0, 1)
    assert not Job.objects.exists()


def test_succeeded_jobs_are_kept_where_the_setting_says_so(settings):
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": 60}
    jobs.enqueue(Record(), unique_key="k")
    jobs.Worker().work_off()
    job = the_job()
    assert (job.state, job.epoch, job.unique_key, job.runner, job.locked_by) == (
        State.SUCCEEDED,
        1,
        None,
        "",
        "",
    )
    assert job.finished_at is not None


@pytest.mark.parametrize(
    "kind",
    ["unprintable", "unreadable", "classless", "huge", "binary", "exit", "interrupt"],
)
def test_whatever_an_error_contains_it_is_recorded_and_the_worker_goes_on(kind, calls):
    jobs.enqueue(Raise(kind))
    jobs.enqueue(Record("next"))
    assert jobs.Worker().work_off() == (1, 1)
    assert calls == ["next"]
    job = the_job()
    assert job.attempts == 1
    assert 0 < len(job.last_error) < 30_000


@pytest.mark.parametrize(
    "handler",
    [
        "",
        "not json",
        "[]",
        '{"class": 1, "fields": {}}',
        '{"class": "os.system", "fields": {"command": "false"}}',
        '{"class": "tests.samples.Bare", "fields": {}}',
        '{"class": "tests.samples.Record", '
        '"fields": {"value": {"$model": ["posts.post", 999999999]}}}',
        '{"class": "tests.samples.Record", "fields": {"value": {"$datetime": 7}}}',
        "[" * 100_000,
    ],
)
def test_a_row_that_cannot_be_loaded_fails_at_once_and_the_pass_goes_on(handler, calls):
    broken = jobs.enqueue(Record("broken"))
    set_handler(broken, handler)
    jobs.enqueue(Record("next"))
    assert jobs.Worker().work_off() == (1, 1)
    assert calls == ["next"]
    job = the_job()
    assert (job.state, job.attempts) == (State.FAILED, 0)
    assert job.last_error.startswith("DeserializationError: ")


def test_hooks_are_called_in_delayed_jobs_order(calls, settings):
    settings.JOBS = {"MAX_ATTEMPTS": 1}
    for fails_in, expected in [
        ("", ["enqueue", "before", "perform", "success", "after"]),
        ("perform", ["enqueue", "before", "perform", "error", "after", "failure"]),
        ("success", ["enqueue", "before", "perform", "success", "error", "after", "failure"]),
        ("before", ["enqueue", "before", "error", "after", "failure"]),
    ]:
        calls.clear()
        jobs.enqueue(Hooked(fails_in))
        jobs.Worker().work_off()
        assert calls == expected


def test_what_is_no_job_object_is_refused():
    for wrong, said in [
        (Bare(), "Bare is not a jobs.Performable"),
        (Silent(), r"Silent has no perform\(\) method"),
        (Record, "Record is a class: enqueue an instance"),
        ("text", "str is not a jobs.Performable"),
        (None, "NoneType is not a jobs.Performable"),
    ]:
        with pytest.raises(TypeError, match=said):
            jobs.enqueue(wrong)
    with pytest.raises(TypeError, match=r"Record.value: .*object can't be stored"):
        jobs.enqueue(Record(object()))
    for options in ({"priority": "high"}, {"priority": True}, {"run_at": "tomorrow"}, {"queue": 5}):
        with pytest.raises(TypeError, match=f"^{next(iter(options))} must be "):
            jobs.enqueue(Record(), **options)
    for options in ({"priority": 2**40}, {"queue": "x" * 300}, {"queue": "a\0b"}):
        with pytest.raises(ValueError, match=f"^{next(iter(options))} must "):
            jobs.enqueue(Record(), **options)
    assert not Job.objects.exists()


def test_a_unique_key_holds_until_the_job_ends(calls):
    first = jobs.enqueue(Record(1), unique_key="k")
    second = jobs.enqueue(Record(2), unique_key="k")
    assert (second.pk, second.already_enqueued, first.already_enqueued) == (first.pk, True, False)
    many = jobs.enqueue_many([Record(3), Undecorated(4)])
    assert len({job.pk for job in many}) == 2
    jobs.Worker().work_off()
    assert calls == [1, 3, (4, [])]
    assert jobs.enqueue(Record(5), unique_key="k").already_enqueued is False


def test_an_outcome_is_dropped_once_the_epoch_has_risen():
    jobs.enqueue(Fail())
    worker = jobs.Worker()
    job = Job.objects.reserve(worker)
    assert transitions.cancel(Job.objects.get(pk=job.pk))
    assert worker.run(job) is None
    row = the_job()
    assert (row.state, row.attempts, row.last_error, row.runner) == (State.CANCELLED, 0, "", "")


def test_a_cancelled_job_is_not_retried_beside_its_living_runner():
    jobs.enqueue(Record())
    job = Job.objects.reserve(jobs.Worker())
    transitions.cancel(the_job())
    assert the_job().runner == job.runner
    assert transitions.retry(the_job()) is False
    set_rows(heartbeat_at=timezone.now() - HOUR)
    assert transitions.retry(the_job()) is True
    assert (the_job().state, the_job().runner) == (State.READY, "")
    assert transitions.succeed(job) is False


def test_a_dead_workers_job_counts_an_attempt_and_is_scheduled_again():
    jobs.enqueue(Record())
    dead = Job.objects.reserve(jobs.Worker(name="dead"))
    set_rows(locked_at=timezone.now() - HOUR)
    assert jobs.Worker().work_off() == (0, 0)
    job = the_job()
    assert (job.state, job.attempts, job.epoch, job.locked_by, job.runner) == (
        State.SCHEDULED,
        1,
        1,
        "",
        "",
    )
    assert "dead" in job.last_error
    assert transitions.succeed(dead) is False


def test_a_job_that_kills_its_worker_ends_as_failed(settings):
    settings.JOBS = {"MAX_ATTEMPTS": 3}
    jobs.enqueue(Record())
    for attempts in (1, 2, 3):
        set_rows(state=State.READY)
        assert Job.objects.reserve(jobs.Worker())
        set_rows(locked_at=timezone.now() - HOUR)
        assert jobs.Worker().work_off() == (0, 0)  # it reaps
        assert the_job().attempts == attempts
    assert (the_job().state, the_job().attempts) == (State.FAILED, 3)


def test_an_abandoned_handed_over_job_is_detached_and_only_taken_by_a_worker_that_hands_over(calls):
    class HandsOver(jobs.Plugin):
        hands_over = True

    job = jobs.enqueue(Record())
    first = jobs.Worker(plugins=[HandsOver])
    job = Job.objects.reserve(first)
    assert (job.runner, job.started_at) == ("", None)
    assert transitions.hand_over(job)
    set_rows(locked_at=timezone.now() - HOUR)
    assert jobs.Worker().work_off() == (0, 0)
    row = the_job()
    assert (row.state, row.epoch, row.handed_over, row.attempts, row.locked_by) == (
        State.DETACHED,
        0,
        True,
        0,
        "",
    )
    jobs.enqueue(Record("ready"), priority=-5)
    taken = Job.objects.reserve(jobs.Worker(plugins=[HandsOver]))
    assert taken.pk == job.pk
    assert taken.epoch == 0
    assert calls == []


def test_a_watcher_that_dies_before_anything_began_costs_no_attempt():
    class HandsOver(jobs.Plugin):
        hands_over = True

    jobs.enqueue(Record())
    Job.objects.reserve(jobs.Worker(plugins=[HandsOver]))
    set_rows(locked_at=timezone.now() - HOUR)
    assert jobs.Worker().work_off() == (1, 0)


def test_one_container_registers_and_a_second_is_refused():
    jobs.enqueue(Record())
    first, second = the_job(), the_job()
    set_rows(state=State.RUNNING, locked_by="w")
    assert transitions.register(first, "one")
    assert not transitions.register(second, "two")
    assert transitions.register(first, "one")
    assert transitions.succeed(first)


def test_concurrent_workers_perform_each_job_once(calls):
    jobs.enqueue_many([Record(number) for number in range(40)])
    workers = [jobs.Worker() for _ in range(4)]

    def work(worker):
        from django.db import connections

        worker.work_off()
        connections.close_all()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(calls) == list(range(40))
    assert not Job.objects.exists()


def test_several_slots_perform_jobs_at_once(calls):
    jobs.enqueue_many([Meets(number) for number in range(9)])
    assert jobs.Worker(concurrency=3).work_off() == (9, 0)
    assert sorted(calls) == list(range(9))


meeting = threading.Barrier(3)


class Meets(Record):
    """Goes on when three are being performed at the same time."""

    def perform(self):
        meeting.wait(120)
        super().perform()


def test_the_clock_is_the_databases():
    before = timezone.now()
    told = store_for(Job).now()
    assert before - CLOSE < told < timezone.now() + CLOSE
