"""What is stored of a job, and what becomes of it when a worker reads it."""

from __future__ import annotations

import datetime as dt
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection, models
from django.utils import timezone

import jobs
from jobs import payloads
from jobs.exceptions import KeyNotVisible
from jobs.instants import FIRST, LAST
from jobs.models import OWN_COLUMNS, Job, State
from jobs.operator import actions
from jobs.payloads import instances
from jobs.store import store_for
from posts.models import Post
from tests.handlers import set_handler
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)
RECORD = '{"class": "tests.samples.Record", "fields": {"value": %s}}'


def the_job() -> Job:
    return Job.objects.get()


def set_rows(**changes: object) -> None:
    Job.objects.filter(epoch__gte=0).update(**changes)


def worked_off() -> Job:
    """One pass, after which a job behind the broken one has been performed."""
    jobs.enqueue(Record("next"), priority=9)
    assert jobs.Worker().work_off() == (1, 1)
    return the_job()


# Signatures


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", "x" * 128])
def test_a_row_without_a_valid_signature_fails_for_good_and_imports_nothing(signature, calls):
    job = jobs.enqueue(Record())
    handler = '{"class": "antigravity.x", "fields": {}}'
    Job.objects.filter(pk=job.pk).update(handler=handler, signature=signature)
    row = worked_off()
    assert (row.state, row.attempts) == (State.FAILED, 0)
    assert row.last_error.startswith("DeserializationError: The handler isn't signed")
    assert "antigravity" not in sys.modules
    assert calls == ["next"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("method", "forget"),
        ("target", {"class": "subprocess.Popen"}),
        ("args", [["touch", "/tmp/never"]]),
    ],
)
def test_a_delayed_method_that_somebody_tampered_with_is_not_called(key, value, calls):
    from tests.samples import Target

    job = jobs.delay(Target).remember(1, b=2)
    handler = json.loads(job.handler)
    handler["fields"][key] = value
    set_rows(handler=json.dumps(handler))
    assert worked_off().state == State.FAILED
    assert calls == ["next"]


def test_options_that_somebody_added_to_a_row_are_not_used():
    job = jobs.enqueue(Record())
    handler = json.loads(job.handler)
    handler["options"] = {"batch": {"environment": {"PYTHONWARNINGS": "all:0:antigravity.x:0:0"}}}
    set_rows(handler=json.dumps(handler))
    assert worked_off().state == State.FAILED


def test_a_key_that_is_rotated_keeps_stored_jobs_working(settings, calls):
    settings.JOBS = {"SIGNING_KEYS": ["old"]}
    jobs.enqueue_many([Record(1), Record(2)])
    settings.JOBS = {"SIGNING_KEYS": ["new", "old"]}
    jobs.enqueue(Record(3))
    assert jobs.Worker().work_off(1) == (1, 0)
    settings.JOBS = {"SIGNING_KEYS": ["new"]}
    assert jobs.Worker().work_off() == (1, 1)
    assert calls == [1, 3]


def test_the_default_keys_are_djangos(settings, calls):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "first" * 10, []
    jobs.enqueue(Record(1))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "second" * 10, ["first" * 10]
    assert jobs.Worker().work_off() == (1, 0)
    jobs.enqueue(Record(2))
    settings.SECRET_KEY_FALLBACKS = []
    assert jobs.Worker().work_off() == (1, 0)


def test_a_signature_is_given_to_the_handler_that_was_seen_and_no_other(calls):
    job = jobs.enqueue(Record("restored"))
    set_rows(signature="")
    seen = the_job()
    set_rows(handler=RECORD % '"swapped"')
    with pytest.raises(actions.Refused, match="changed meanwhile"):
        actions.sign(seen)
    set_rows(handler=job.handler)
    actions.sign(the_job())
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["restored"]


def test_jobs_of_before_and_of_older_keys_are_signed_together_and_forged_ones_are_not(settings):
    settings.JOBS = {"SIGNING_KEYS": ["old"]}
    older, before, forged = jobs.enqueue_many([Record(1), Record(2), Record(3)])
    Job.objects.filter(pk=before.pk).update(signature="", state=State.FAILED)
    Job.objects.filter(pk=forged.pk).update(signature="0" * 64)
    settings.JOBS = {"SIGNING_KEYS": ["new", "old"]}
    jobs.enqueue(Record(4))
    assert {job.pk for job in actions.to_be_signed()} == {older.pk, before.pk}


# Shapes


@pytest.mark.parametrize(
    "handler",
    [
        "null",
        "7",
        '"text"',
        "[1, 2]",
        "NaN",
        "9" * 5000,
        "[" * 100_000,
        "{}",
        '{"class": "tests.samples.Record"}',
        '{"class": "tests.samples.Record", "fields": null}',
        '{"class": "tests.samples.Record", "fields": [[1, 2]]}',
        '{"class": "tests.samples.Record", "fields": [["value", 2]]}',
        '{"class": "tests.samples.Record", "fields": "ab"}',
        '{"class": "tests.samples.Record", "fields": {}, "options": [1]}',
        '{"class": "tests.samples.Record", "fields": {}, "options": [["batch", 1]]}',
        '{"class": "tests.samples.Record", "fields": {}, "options": null}',
        '{"class": ["tests.samples.Record"], "fields": {}}',
        '{"class": {"a": 1}, "fields": {}}',
        '{"class": "", "fields": {}}',
        '{"class": "tests.samples.", "fields": {}}',
        '{"class": "tests", "fields": {}}',
        '{"class": "builtins.int", "fields": {}}',
        '{"class": "os.system", "fields": {"command": "false"}}',
        '{"class": "tests.samples.Silent", "fields": {}}',
        *(
            RECORD % value
            for value in (
                '{"$datetime": 7}',
                '{"$datetime": {"at": 7}}',
                '{"$datetime": {"at": "2026-01-01T00:00:00", "zone": 7}}',
                '{"$datetime": {"at": "2026-01-01T00:00:00", "fold": 7}}',
                '{"$timedelta": 1e400}',
                '{"$timedelta": 99999999999999999999999}',
                '{"$decimal": "x"}',
                '{"$float": []}',
                '{"$bytes": "é"}',
                '{"$tuple": 1}',
                '{"$set": [[1]]}',
                '{"$set": {"a": 1}}',
                '{"$dict": 1}',
                '{"$dict": [1]}',
                '{"$dict": [[1]]}',
                '{"$dict": [[[1], 2]]}',
                '{"$model": 1}',
                '{"$model": []}',
                '{"$model": ["posts.post"]}',
                '{"$model": [1, 2]}',
                '{"$model": ["posts.post", [1, 2]]}',
                '{"$model": ["posts.post", {"a": null}]}',
                '{"$model": ["posts.post", null]}',
                '{"$model": ["posts.post", 999999999]}',
                '{"$model": ["posts.post", %s]}' % ("9" * 40),
                '{"$model": ["posts.post", "nonsense"]}',
                '{"$model": ["posts.post", 1, {"a": 1}]}',
                '{"$resources": 7}',
                '{"$resources": {"vcpu": "x"}}',
                '{"$tuple": [' * 900 + "]}" * 900,
            )
        ),
    ],
)
def test_a_signed_handler_of_any_wrong_shape_fails_at_once_and_the_pass_goes_on(handler, calls):
    set_handler(jobs.enqueue(Record("broken")), handler)
    row = worked_off()
    assert (row.state, row.attempts) == (State.FAILED, 0), row.last_error
    assert row.last_error.startswith("DeserializationError: ")
    assert calls == ["next"]


# Not yet, and not now

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
    assert (row.state, row.attempts, row.epoch, row.unique_key) == (State.SCHEDULED, 0, 1, "k")
    assert (row.runner, row.locked_by, row.handed_over) == ("", "", False)
    assert 4 < (row.run_at - before).total_seconds() < 20
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
    row = worked_off()
    assert (row.state, row.attempts) == (State.SCHEDULED, 1)
    assert row.last_error.startswith("OperationalError: FATAL: sorry")
    assert 4 < (row.run_at - timezone.now()).total_seconds() < 20
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
    settings.DATABASE_ROUTERS = ["tests.conformance.test_stored.Routed"]
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
    set_handler(jobs.enqueue(Record()), json.dumps({"class": f"{MODULE}.Job", "fields": {}}))
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


# Columns


@dataclass
class Saves(jobs.Performable):
    """Changes its row as a hook may, after somebody else did."""

    hook: str
    names: list[str] | None = None

    def _called(self, hook: str, job: Any) -> None:
        if hook != self.hook:
            return
        Job.objects.filter(pk=job.pk).update(attempts=7, last_error="meanwhile", unique_key="u")
        job.priority, job.queue = 5, "changed"
        job.state, job.epoch, job.locked_by, job.runner = State.READY, 99, "nobody", ""
        job.attempts, job.last_error, job.run_at = 0, "", timezone.now() + HOUR
        job.save(update_fields=self.names)

    def before(self, job: Any) -> None:
        self._called("before", job)

    def success(self, job: Any) -> None:
        self._called("success", job)

    def perform(self) -> None: ...


def test_a_job_that_saves_itself_leaves_the_queues_own_columns_alone():
    jobs.enqueue(Saves("before"))
    worker = jobs.Worker(name="w")
    job = Job.objects.reserve(worker)
    job.payload.before(job)
    row = the_job()
    assert (row.priority, row.queue) == (5, "changed")
    assert (row.state, row.epoch, row.locked_by, row.runner) == (State.RUNNING, 0, "w", "w@0")
    assert (row.attempts, row.last_error, row.unique_key) == (7, "meanwhile", "u")


@pytest.mark.parametrize("name", sorted(OWN_COLUMNS))
def test_a_column_of_the_queues_own_cannot_be_saved_by_name(name):
    job = jobs.enqueue(Record())
    with pytest.raises(ValueError, match=name):
        job.save(update_fields=[name])


def test_saving_a_job_that_is_gone_does_not_bring_it_back():
    job = jobs.enqueue(Record())
    Job.objects.filter(pk=job.pk).delete()
    with pytest.raises(DatabaseError):
        job.save()
    assert not Job.objects.exists()


@dataclass
class SavesWhenEnqueued(jobs.Performable):
    def enqueue(self, job: Any) -> None:
        job.priority = 3
        job.save()

    def perform(self) -> None: ...


def test_a_job_that_is_saved_in_its_enqueue_hook_is_stored_once():
    jobs.enqueue(SavesWhenEnqueued(), unique_key="k")
    jobs.enqueue_many([SavesWhenEnqueued()])
    assert [job.priority for job in Job.objects.all()] == [3, 3]


# Limits


def test_a_job_that_the_database_cannot_hold_is_refused_and_the_largest_one_is_performed(calls):
    limit = store_for(Job).largest_row
    if limit > 2**24:
        pytest.skip("MongoDB's limit")
    for too_much in ("x" * limit, "x" * 2**24, "\0" * (limit // 5)):
        with pytest.raises(ValueError, match="can be stored"):
            jobs.enqueue(Record(too_much))
        with pytest.raises(ValueError, match="can be stored"):
            jobs.enqueue_many([Record(), Record(too_much)])
    assert not Job.objects.exists()
    jobs.enqueue(Record("x" * (limit - 2000)))
    assert jobs.Worker().work_off() == (1, 0)
    assert len(calls) == 1


def test_the_limit_leaves_room_for_the_error(monkeypatch):
    monkeypatch.setattr(type(store_for(Job)), "largest_row", 1000)
    with pytest.raises(ValueError, match="at most 1,000 can be stored"):
        jobs.enqueue(Record("x" * 1000))
    jobs.enqueue(Record("x" * 500))


@pytest.mark.parametrize(
    "zone", [dt.timezone(dt.timedelta(hours=9)), dt.timezone(-dt.timedelta(hours=9)), None]
)
@pytest.mark.parametrize("instant", [dt.datetime.min, dt.datetime.max])
def test_an_instant_that_cannot_be_expressed_is_refused(zone, instant):
    with pytest.raises(ValueError, match="run_at"):
        jobs.enqueue(Record(), run_at=instant.replace(tzinfo=zone))
    with pytest.raises(ValueError, match="run_at"):
        jobs.enqueue_many([Record()], run_at=instant.replace(tzinfo=zone))
    assert not Job.objects.exists()


@pytest.mark.parametrize("instant", [FIRST, LAST])
def test_the_first_and_the_last_instant_are_stored_and_come_back(instant):
    jobs.enqueue(Record(), run_at=instant)
    assert the_job().run_at == instant
    assert jobs.Worker().work_off() == ((1, 0) if instant == FIRST else (0, 0))


@dataclass
class Again(jobs.Performable):
    at: dt.datetime | None = None
    kind: str = ""

    def perform(self) -> None:
        raise RuntimeError("it broke")

    def reschedule_at(self, now: dt.datetime, attempts: int) -> Any:
        return {"": self.at, "text": "tomorrow", "none": None}[self.kind]


@pytest.mark.parametrize(
    "payload",
    [
        Again(dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=9)))),
        Again(dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=9)))),
        Again(dt.datetime.min),
        Again(dt.datetime.max),
        Again(kind="text"),
        Again(kind="none"),
    ],
)
def test_an_instant_that_a_payload_computes_is_bounded(payload):
    jobs.enqueue(payload)
    before = timezone.now() - dt.timedelta(seconds=1)
    row = worked_off()
    assert (row.state, row.attempts) == (State.SCHEDULED, 1)
    assert before < row.run_at < before + dt.timedelta(days=3652)


# Unique keys


def test_enqueueing_ends_where_the_holder_of_the_key_cannot_be_seen(monkeypatch):
    jobs.enqueue(Record(1), unique_key="k")
    store = store_for(Job)
    looks = []
    monkeypatch.setattr(store, "holder_of", looks.append)
    with pytest.raises(KeyNotVisible, match="'k'"):
        jobs.enqueue(Record(2), unique_key="k")
    assert 1 < len(looks) <= 20
    assert Job.objects.count() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's isolation levels")
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_enqueueing_ends_under_every_isolation_level(level):
    import threading

    from django.db import connections, transaction

    def elsewhere() -> None:
        jobs.enqueue(Record("first"), unique_key="k")
        connections.close_all()

    @transaction.atomic
    def enqueue_what_it_cannot_see() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            cursor.execute("SELECT count(*) FROM jobs_job")
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        jobs.enqueue(Record("second"), unique_key="k")

    with pytest.raises((KeyNotVisible, OperationalError)):
        enqueue_what_it_cannot_see()
    assert Job.objects.count() == 1


def test_another_rows_handler_may_be_copied_but_not_changed():
    handler = payloads.dump(Record(1))
    signature = payloads.sign(handler)
    assert payloads.verified(handler, signature)
    assert not payloads.verified(handler + " ", signature)
    assert not payloads.verified(handler, signature.upper())
    for wrong in (None, 7, b"x", "", "\udcff"):
        assert not payloads.verified(handler, wrong)
        assert not payloads.verified(wrong, signature)
