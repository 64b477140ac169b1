"""Delayed Job's rules, one by one: docs/parity.md names the test of each."""

from __future__ import annotations

import datetime as dt
import signal

import pytest
from django.db import connection
from django.utils import timezone

import jobs
from jobs.models import Job, State
from jobs.payloads import max_attempts
from tests.processes import lines, row, wait_for
from tests.samples import Append, Fail, Hooked, Record, Wait

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)


def test_queue_option_then_payload_then_default(settings):
    assert jobs.enqueue(Record()).queue == "default"
    settings.JOBS = {"DEFAULT_QUEUE_NAME": "other"}
    assert jobs.enqueue(Record()).queue == "other"
    payload = Record()
    payload.queue_name = "own"
    assert jobs.enqueue(payload).queue == "own"
    assert jobs.enqueue(payload, queue="given").queue == "given"
    assert jobs.enqueue(payload, queue="").queue == ""


def test_priority_option_then_the_queues_then_default(settings):
    settings.JOBS = {"DEFAULT_PRIORITY": 3, "QUEUE_ATTRIBUTES": {"mail": {"priority": -5}}}
    assert jobs.enqueue(Record()).priority == 3
    assert jobs.enqueue(Record(), queue="mail").priority == -5
    assert jobs.enqueue(Record(), queue="mail", priority=0).priority == 0


def test_delay_jobs_off_performs_at_once_and_errors_reach_the_caller(settings, calls):
    settings.JOBS = {"DELAY_JOBS": False}
    job = jobs.enqueue(Hooked())
    assert calls == ["enqueue", "before", "perform", "success", "after"]
    assert job.pk is None
    with pytest.raises(RuntimeError, match="perform broke"):
        jobs.enqueue(Hooked("perform"))
    assert "failure" not in calls
    assert not Job.objects.exists()


def test_delay_jobs_may_be_a_callable(settings, calls):
    settings.JOBS = {"DELAY_JOBS": lambda job: job.queue == "slow"}
    jobs.enqueue_many([Record("now"), Record("now, too")])
    jobs.enqueue(Record("later"), queue="slow")
    assert calls == ["now", "now, too"]
    assert Job.objects.get().queue == "slow"


def test_the_enqueue_hook_may_change_the_job():
    class_level = Postponed()
    job = jobs.enqueue(class_level)
    assert (row(job).state, row(job).priority) == (State.SCHEDULED, 42)


class Postponed(jobs.Performable):
    def enqueue(self, job):
        job.run_at = timezone.now() + HOUR
        job.priority = 42

    def perform(self): ...


def test_max_attempts_of_the_payload_wins():
    payload = Fail()
    assert max_attempts(payload) == 25
    payload.max_attempts = 1
    job = jobs.enqueue(payload)
    jobs.Worker().work_off()
    assert row(job).state == State.FAILED


class At(Fail):
    def reschedule_at(self, now, attempts):
        return now + dt.timedelta(days=attempts)


class Nonsense(Fail):
    @property
    def max_attempts(self):
        return "many"

    destroy_failed_jobs = None

    def reschedule_at(self, now, attempts):
        raise ValueError("no idea")


def test_reschedule_at_replaces_the_back_off_and_nonsense_falls_back_to_it():
    own, nonsense = jobs.enqueue(At()), jobs.enqueue(Nonsense())
    before = timezone.now()
    assert jobs.Worker().work_off() == (0, 2)
    assert row(own).run_at - timezone.now() > dt.timedelta(hours=23)
    assert is_put_off(nonsense, 6, before)


def test_the_back_off_is_delayed_jobs():
    job = jobs.enqueue(Fail())
    for attempts, seconds in [(1, 6), (2, 21), (3, 86), (4, 261), (5, 630)]:
        Job.objects.update(state=State.READY)
        before = timezone.now()
        jobs.Worker().work_off()
        assert row(job).attempts == attempts
        assert is_put_off(job, seconds, before)


def is_put_off(job, seconds, since):
    """By that much, from a moment after `since`, give or take a second."""
    begins = (row(job).run_at - dt.timedelta(seconds=seconds) - since).total_seconds()
    return -1 < begins < (timezone.now() - since).total_seconds() + 1


@pytest.mark.parametrize(("own", "kept"), [(True, False), (False, True)])
def test_destroy_failed_jobs_of_the_payload_wins(settings, own, kept):
    settings.JOBS = {"DESTROY_FAILED_JOBS": not own, "MAX_ATTEMPTS": 1}
    payload = Fail()
    payload.destroy_failed_jobs = own
    jobs.enqueue(payload)
    jobs.Worker().work_off()
    assert Job.objects.exists() is kept


class Named(Record):
    def display_name(self):
        return "a name\x00 of its own" + "!" * 500


def test_display_name_is_stored_whatever_it_contains():
    job = jobs.enqueue(Named())
    assert row(job).name.startswith("a name\\x00 of its own!")
    assert len(row(job).name) == 255


def test_exit_on_complete_is_not_kept_waiting_by_future_jobs(calls):
    jobs.enqueue(Record("later"), run_at=timezone.now() + HOUR)
    jobs.enqueue(Record("now"))
    jobs.Worker(exit_on_complete=True, sleep_delay=60).start()
    assert calls == ["now"]


def test_a_worker_with_a_fixed_name_takes_up_what_it_held_at_once(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    first = start("jobworker", "--name", "fixed", JOBS_LEASE="600")
    wait_for(lambda: lines(log))
    first.kill()
    start("jobworker", "--name", "fixed", JOBS_LEASE="600")
    wait_for(lambda: row(job).attempts == 1, what="the lock was taken up, though its lease goes on")


def test_raise_signal_exceptions_interrupts_the_job_in_hand_on_the_first_term(start, tmp_path):
    log = tmp_path / "log"
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    worker = start("jobworker", JOBS_RAISE_SIGNAL_EXCEPTIONS="term", JOBS_LEASE="3600")
    wait_for(lambda: lines(log))
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)


def test_settings_are_read_by_the_worker_where_no_option_is_given(settings):
    settings.JOBS = {
        "QUEUES": ["a"],
        "MIN_PRIORITY": 1,
        "MAX_PRIORITY": 9,
        "SLEEP_DELAY": 2,
        "EXIT_ON_COMPLETE": True,
    }
    worker = jobs.Worker()
    assert (worker.queues, worker.min_priority, worker.max_priority) == (("a",), 1, 9)
    assert (worker.sleep_delay, worker.exit_on_complete) == (2, True)
    worker = jobs.Worker(queues=["b"], min_priority=0, exit_on_complete=False)
    assert (worker.queues, worker.min_priority, worker.exit_on_complete) == (("b",), 0, False)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"queues": "mail"}, TypeError, "queues must be a list of names, not the string 'mail'"),
        ({"concurrency": 0}, ValueError, "concurrency must be 1 or more, not 0"),
        (
            {"plugins": ["jobs.models.Job"]},
            jobs.InvalidCallback,
            "is not a subclass of jobs.Plugin",
        ),
        ({"plugins": ["x.y"]}, ImportError, "x"),
    ],
)
def test_options_of_a_worker_that_make_no_sense_are_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        jobs.Worker(**wrong)


@pytest.fixture
def own_job(settings):
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.own.apps.OwnConfig"]
    from tests.own.models import OwnJob

    with connection.schema_editor() as editor:
        editor.create_model(OwnJob)
    yield OwnJob
    with connection.schema_editor() as editor:
        editor.delete_model(OwnJob)


def test_a_job_class_of_ones_own_has_fields_of_its_own_and_a_queue_of_its_own(own_job, calls):
    job = jobs.enqueue(Record("own"), model=own_job, tenant="acme")
    assert jobs.Worker().work_off() == (0, 0)
    assert own_job.objects.get(pk=job.pk).tenant == "acme"
    assert jobs.Worker(model=own_job).work_off() == (1, 0)
    assert calls == ["own"]
    jobs.enqueue_many([Fail(), Append("x")], model=own_job, tenant="b")
    assert [job.tenant for job in own_job.objects.all()] == ["b", "b"]


def test_an_error_while_reserving_is_logged_and_the_tenth_in_a_row_ends_the_worker(calls, caplog):
    class Breaks(jobs.Plugin):
        passes = 0

        def before_loop(self, worker):
            Breaks.passes += 1
            if Breaks.passes < 3 or calls:
                raise RuntimeError("a broken pass")

    jobs.enqueue(Record("performed"))
    with pytest.raises(RuntimeError, match="a broken pass"):
        jobs.Worker(plugins=[Breaks], sleep_delay=0).start()
    assert calls == ["performed"]
    assert Breaks.passes == 2 + 1 + 10
    # The last one is raised instead.
    assert caplog.text.count("A pass over the queue failed: a broken pass") == 2 + 9


def test_delay_jobs_may_take_no_job(settings, calls):
    settings.JOBS = {"DELAY_JOBS": lambda: False}
    jobs.enqueue(Record("at once"))
    assert calls == ["at once"]


def test_no_queue_is_the_payloads_queue():
    payload = Record()
    payload.queue_name = "own"
    assert jobs.enqueue(payload, queue=None).queue == "own"


def test_hooks_that_raise_in_error_and_failure_are_logged_and_the_outcome_is_recorded(
    settings, calls, caplog
):
    settings.JOBS = {"MAX_ATTEMPTS": 1}

    for broken in ("error", "failure"):
        job = jobs.enqueue(BreaksInHooks("perform", broken))
        assert jobs.Worker().work_off() == (0, 1)
        assert row(job).state == State.FAILED
        assert row(job).last_error.startswith("RuntimeError: perform broke")
        assert f"{broken} broke, too" in caplog.text


class BreaksInHooks(Hooked):
    also: str = ""

    def _called(self, name):
        super()._called(name)
        if name == self.also:
            raise RuntimeError(f"{name} broke, too")


def test_flags_bound_the_priorities(start, tmp_path):
    log = tmp_path / "log"
    for priority in (-5, 0, 5):
        jobs.enqueue(Append(str(log), str(priority)), priority=priority)
    assert (
        start(
            "jobworker", "--min-priority", "0", "--max-priority", "0", "--exit-on-complete"
        ).wait()
        == 0
    )
    assert lines(log) == ["0"]


def test_workers_are_named_by_host_and_process():
    import os
    import socket

    assert jobs.Worker().name.startswith(f"host:{socket.gethostname()} pid:{os.getpid()}")
    assert jobs.Worker().name != jobs.Worker().name


def test_hooks_and_options_of_a_delayed_methods_target_are_not_taken_over():
    from posts.models import Post

    post = Post.objects.create(title="t")
    Post.max_attempts, Post.failure = (
        1,
        lambda self, job: pytest.fail("a method that meant something else was called"),
    )
    try:
        job = jobs.delay(post).refresh_from_db(fields=["nonsense"])
        assert jobs.Worker().work_off() == (0, 1)
        assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    finally:
        del Post.max_attempts, Post.failure
