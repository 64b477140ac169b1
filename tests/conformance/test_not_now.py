"""A job that can't be loaded now, or not yet, doesn't fail for good."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import OperationalError, connection, models
from django.utils import timezone

import jobs
from jobs.exceptions import NotKnownYet
from jobs.models import Job, State
from jobs.payloads import instances
from jobs.store import from_primary
from posts.models import Post
from tests.handlers import RECORD, set_handler, set_rows, the_job
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)


def worked_off() -> Job:
    """One pass, after which a job behind the broken one has been performed."""
    jobs.enqueue(Record("next"), priority=9)
    assert jobs.Worker().work_off() == (1, 1)
    return the_job()


UNKNOWN = [
    '{"class": "tests.samples.Gone", "fields": {}}',
    '{"class": "tests.gone.Gone", "fields": {}}',
    '{"class": "tests.samples.Record.Inner", "fields": {}}',
    '{"class": "tests.samples.Record", "fields": {"unheard_of": 1}}',
    '{"class": "tests.samples.Record", "fields": {}, "options": {"unheard_of": 1}}',
    '{"class": "tests.samples.Append", "fields": {"text": "no path"}}',
    RECORD % '{"$unheard_of": 1}',
    RECORD % '{"$model": ["posts.unheard", 1]}',
    RECORD % '{"$model": ["unheard.of", 1]}',
    RECORD % '{"$model": ["posts.post", 1, "unheard_of"]}',
    RECORD % '{"$datetime": {"at": "2026-01-01T00:00:00", "zone": "Moon/Far_side"}}',
    '{"class": "jobs.delayed.PerformableMethod", "fields": {"target": {"class": '
    '"tests.samples.Target"}, "method": "unheard_of", "args": [], "kwargs": {}}}',
    '{"class": "jobs.delayed.PerformableMethod", "fields": {"target": {"class": '
    '"tests.samples.Unheard"}, "method": "remember", "args": [], "kwargs": {}}}',
]


@pytest.mark.parametrize("handler", UNKNOWN)
def test_what_newer_code_enqueued_is_put_back_uncounted_and_fails_for_good_later(handler, calls):
    set_handler(jobs.enqueue(Record(), unique_key="k"), handler)
    before = timezone.now()
    row = worked_off()
    passed = (timezone.now() - before).total_seconds()
    assert (row.state, row.attempts, row.epoch, row.unique_key) == (State.SCHEDULED, 0, 1, "k")
    assert (row.runner, row.locked_by, row.handed_over) == ("", "", False)
    assert 4 < (row.run_at - before).total_seconds() < 20 + passed
    assert row.last_error.startswith("NotKnownYet: ")
    set_rows(created_at=timezone.now() - HOUR, run_at=timezone.now() - HOUR)
    assert jobs.Worker().work_off() == (0, 1)
    row = the_job()
    assert (row.state, row.attempts, row.unique_key) == (State.FAILED, 0, None)
    assert calls == ["next"]


def test_a_worker_of_the_newer_code_performs_what_an_older_one_put_back(calls):
    job = jobs.enqueue(Record("new"))
    newer = job.handler
    set_handler(job, newer.replace("Record", "NotDeployedYet"))
    assert jobs.Worker().work_off() == (0, 1)
    set_handler(job, newer)
    set_rows(run_at=timezone.now() - HOUR)
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["new"]


@pytest.mark.parametrize(
    ("window", "age"), [(0, 0), (60, 61), (dt.timedelta(minutes=1), 3600), (60, -3600)]
)
def test_the_window_is_the_settings(settings, window, age):
    settings.JOBS = {"DEPLOY_WINDOW": window}
    set_handler(jobs.enqueue(Record()), UNKNOWN[0])
    set_rows(created_at=timezone.now() - dt.timedelta(seconds=age))
    assert jobs.Worker().work_off() == (0, 1)
    assert the_job().state == State.FAILED


def test_a_job_that_was_cancelled_meanwhile_is_not_put_back():
    from jobs import transitions

    set_handler(jobs.enqueue(Record()), UNKNOWN[0])
    worker = jobs.Worker()
    job = Job.objects.reserve(worker)
    assert transitions.cancel(the_job())
    assert worker.run(job) is None
    assert (the_job().state, the_job().last_error) == (State.CANCELLED, "")


class Away(models.query.QuerySet[Any]):
    """A database that can't answer now, as often as `times` says."""

    times = 10**6

    def get(self, *args: Any, **kwargs: Any) -> Any:
        if Away.times > 0:
            Away.times -= 1
            raise OperationalError("FATAL: sorry, too many clients already")
        return super().get(*args, **kwargs)


@pytest.fixture
def away(monkeypatch):
    manager = models.Manager.from_queryset(Away)()
    manager.model = Post
    monkeypatch.setitem(Post._meta.__dict__, "base_manager", manager)
    return lambda times: monkeypatch.setattr(Away, "times", times)


def test_a_database_that_is_away_while_an_instance_is_read_is_a_failed_attempt(away, calls):
    post = Post.objects.create(title="t")
    away(10**6)
    jobs.enqueue(Record(post))
    before = timezone.now()
    row = worked_off()
    passed = (timezone.now() - before).total_seconds()
    assert (row.state, row.attempts) == (State.SCHEDULED, 1)
    assert row.last_error.startswith("OperationalError: FATAL: sorry")
    assert 4 < (row.run_at - before).total_seconds() < 20 + passed
    away(0)
    set_rows(run_at=timezone.now() - HOUR)
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["next", post]


def test_a_connection_that_was_dropped_meanwhile_costs_nothing(away, calls):
    post = Post.objects.create(title="t")
    away(1)
    jobs.enqueue(Record(post))
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == [post]


class Routed:
    """A primary, and a replica that lags."""

    def db_for_read(self, model, **hints):
        return "replica" if model is Post else None

    def db_for_write(self, model, **hints):
        return "default" if model is Post else None


def test_an_instance_that_came_from_a_replica_is_read_from_where_writes_go(settings, calls):
    post = Post.objects.create(title="t")
    post._state.db = "replica"
    settings.DATABASE_ROUTERS = ["tests.conformance.test_not_now.Routed"]
    job = jobs.enqueue(Record(post))
    assert "replica" not in job.handler
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == [post]
    assert instances.alias_of(post) is None


def test_an_instance_on_another_database_is_read_from_there():
    post = Post.objects.create(title="t")
    post._state.db = "other"
    assert instances.alias_of(post) == "other"


MODULE = "tests_raises_when_imported"
NEVER_IMPORTED = '{"class": "tests_raises_when_imported.Job", "fields": {}}'


@pytest.mark.parametrize(
    "error", [SystemExit("KEY missing"), KeyboardInterrupt(), RuntimeError("x")]
)
@pytest.mark.parametrize("destroy", [False, True])
def test_whatever_an_import_raises_is_a_failed_attempt_of_that_job(
    error, destroy, monkeypatch, settings, calls
):
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == MODULE:
                raise error

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    set_handler(jobs.enqueue(Record()), NEVER_IMPORTED)
    row = worked_off()
    assert (row.state, row.attempts) == (State.SCHEDULED, 1)
    assert MODULE not in sys.modules
    settings.JOBS = {"MAX_ATTEMPTS": 2, "DESTROY_FAILED_JOBS": destroy}
    set_rows(run_at=timezone.now() - HOUR)
    assert jobs.Worker().work_off() == (0, 1)
    assert Job.objects.exists() is not destroy


@dataclass
class Exits(jobs.Performable):
    kind: str
    at_once = False

    def __post_init__(self) -> None:
        if Exits.at_once:
            raise {"exit": SystemExit, "interrupt": KeyboardInterrupt, "type": TypeError}[self.kind]

    def perform(self) -> None: ...


@pytest.mark.parametrize("kind", ["exit", "interrupt", "type"])
def test_whatever_a_constructor_raises_is_a_failed_attempt_of_that_job(kind, monkeypatch):
    jobs.enqueue(Exits(kind))
    monkeypatch.setattr(Exits, "at_once", True)
    row = worked_off()
    assert (row.state, row.attempts) == (State.SCHEDULED, 1)


def test_an_instance_is_read_from_the_primary_of_a_replica_set():
    if connection.vendor != "mongodb":
        pytest.skip("MongoDB's read preferences")
    from pymongo import ReadPreference

    post = Post.objects.create(title="t")
    database = connection.database
    connection.database = database.with_options(read_preference=ReadPreference.SECONDARY)
    try:
        with from_primary(connection):
            assert Post.objects.get().pk == post.pk
            preference = connection.get_collection("posts_post").read_preference
        assert preference == ReadPreference.PRIMARY
        assert connection.database.read_preference == ReadPreference.SECONDARY
    finally:
        connection.database = database


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL ends a connection")
def test_a_connection_that_the_server_ended_meanwhile_costs_nothing(calls):
    import psycopg

    def end_the_workers_connection() -> None:
        parameters = connection.get_connection_params()
        options = {key: parameters[key] for key in ("host", "port", "user", "dbname")}
        with psycopg.connect(autocommit=True, **options) as other:
            pid = connection.connection.info.backend_pid
            other.execute("SELECT pg_terminate_backend(%s, 60000)", [pid])

    class Ends(jobs.Plugin):
        def before_perform(self, worker, job):
            end_the_workers_connection()

    post = Post.objects.create(title="t")
    jobs.enqueue_many([Record(post), Record(post), Record(post)])
    assert jobs.Worker(plugins=[Ends]).work_off() == (3, 0)
    assert calls == [post] * 3


@dataclass
class LooksAtAnother(jobs.Performable):
    """Meets another job that can't be loaded, and passes on what that raises."""

    place: str
    error: str

    def _here(self, place: str) -> None:
        if place == self.place:
            raise {"gone": jobs.DeserializationError, "new": NotKnownYet}[self.error]("another job")

    @property
    def max_run_time(self) -> float:
        self._here("max_run_time")
        return 60

    def before(self) -> None:
        self._here("before")

    def perform(self) -> None:
        self._here("perform")

    def success(self) -> None:
        self._here("success")

    def after(self) -> None:
        self._here("after")


@pytest.mark.parametrize("error", ["gone", "new"])
@pytest.mark.parametrize("place", ["max_run_time", "before", "perform", "success", "after"])
def test_what_a_jobs_own_code_raises_never_means_that_the_job_cannot_be_loaded(place, error):
    jobs.enqueue(LooksAtAnother(place, error))
    row = worked_off()
    assert (row.state, row.attempts, row.epoch) == (State.SCHEDULED, 1, 1)
    assert "another job" in row.last_error


class Delays:
    @classmethod
    def looks_at_another(cls) -> None:
        raise NotKnownYet("another job")


def test_nor_does_what_a_delayed_method_raises():
    jobs.delay(Delays).looks_at_another()
    row = worked_off()
    assert (row.state, row.attempts) == (State.SCHEDULED, 1)
