"""After each job, the connection that the queue and the next job use is as before
it.
"""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models import Count, F, Max, Value, Window
from django.db.models.functions import Coalesce, Concat, Lower, Now, RowNumber, TruncDate

import jobs
from jobs.models import Job
from jobs.store.plain import is_plain
from tests import sessions
from tests.processes import row
from tests.samples import Record, calls
from tests.sessions import WAYS, Alter, state

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor not in ("postgresql", "sqlite"), reason="sessions of SQL databases"
    ),
]


@pytest.fixture(autouse=True)
def _fresh():
    """A connection of its own for each test, whatever it does to it."""
    connection.close()
    yield
    sessions.kept.clear()
    connection.execute_wrappers.clear()
    connection.force_debug_cursor = False
    connection.close()


# Of a driver's cursor that a job didn't close.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
@pytest.mark.parametrize("way", WAYS)
def test_a_connection_is_after_each_job_as_it_was_before_it(way, fails):
    before = state()
    if way != "reset":  # which changes what Django itself may have set
        WAYS[way]()
        assert state() != before  # it is a change that can be seen
        connection.execute_wrappers.clear()
        connection.force_debug_cursor = False
        connection.close()
    bad, following = jobs.enqueue(Alter(way, fails), priority=-1), jobs.enqueue(Record("next"))
    assert jobs.Worker().work_off(2) == ((1, 1) if fails else (2, 0))
    assert state() == before
    assert calls == ["next"]
    assert row(following) is None
    if fails:
        assert row(bad).last_error.startswith("RuntimeError: the job's own error")


def plain() -> None:
    """What a job does all day."""
    job = jobs.enqueue(Record("enqueued"), run_at=None, unique_key="k")
    named = Job.objects.annotate(
        lowered=Lower(Concat(F("name"), Value("-"), F("queue"))),
        day=TruncDate("run_at"),
        place=Window(RowNumber(), order_by=F("id").asc()),
    ).filter(lowered__icontains="record", created_at__lte=Now(), run_at__year__gte=2000)
    assert len(named) >= 1
    Job.objects.aggregate(Count("id"), last=Coalesce(Max("priority"), 0))
    with transaction.atomic(), transaction.atomic():
        Job.objects.select_for_update().get(pk=job.pk)
        Job.objects.filter(pk=job.pk).update(priority=F("priority") + 1)
    assert list(Job.objects.filter(pk__in=[job.pk]).values_list("pk", flat=True).iterator())
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM jobs_job WHERE (priority < %s)", [5])
        cursor.fetchone()
    jobs.enqueue_many([Record("a"), Record("b")])
    Job.objects.filter(name__contains="Record", locked_by="").delete()


class Plain(jobs.Performable):
    def perform(self) -> None:
        plain()


def test_a_job_that_sends_plain_statements_keeps_its_connection():
    jobs.enqueue(Plain())
    jobs.enqueue(Plain(), priority=5)
    worker = jobs.Worker()
    assert worker.work_off(1) == (1, 0)
    jobs.enqueue(Plain())
    driver = connection.connection
    assert driver is not None
    assert worker.work_off(1) == (1, 0)
    assert connection.connection is driver


def test_a_job_may_close_its_connection_itself():
    jobs.enqueue(Closes())
    assert jobs.Worker().work_off(1) == (1, 0)
    assert calls == [True]


class Closes(jobs.Performable):
    def perform(self) -> None:
        next(iter(WAYS.values()))()
        connection.close()
        calls.append(Job.objects.exists())


@pytest.mark.parametrize(
    "text",
    [
        "set role x",
        "SELECT my_function()",
        "SELECT 1; SET ROLE x",
        "WITH x AS (SELECT 1) SELECT * INTO TEMP y FROM x",
        "SELECT set_config/* x */('search_path', 'x', false)",
        "SELECT set_config -- x\n('search_path', 'x', false)",
        "SELECT '/*', set_config('search_path', 'x', false) -- */",
        "SELECT * FROM set_config('search_path', 'x', false)",
        "SELECT U&\"set\\005fconfig\"('search_path', 'x', false)",
        "CALL procedure()",
        b"SELECT 1",
        "",
        "(((",
        " " * 100_000,
        "SELECT " + "x" * 1_000_000,
        "/*" * 100_000,
        "SELECT " + "/*" * 100_000,
        "SELECT " + '"' * 100_001,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_statement_that_is_not_known_to_be_harmless_is_not_plain(text):
    is_harmless = isinstance(text, str) and text.startswith(("SELECT x", 'SELECT "'))
    assert is_plain(text, "postgresql") is is_harmless


@pytest.mark.parametrize(
    "text",
    [
        'INSERT INTO "jobs_job" ("queue", "name") VALUES (%s, %s) RETURNING "jobs_job"."id"',
        'INSERT INTO t (a) VALUES (1) ON CONFLICT("a") DO UPDATE SET "a" = EXCLUDED."a"',
        'SELECT COUNT(*) FROM (SELECT DISTINCT "a" FROM "t" WHERE "b" IN (1, 2)) subquery',
        "/* app='x' */ select coalesce(max(a), 0) from t;",
        "SELECT COUNT(*) FROM t /*controller='index',route='/x'*/",
        'SAVEPOINT "s1"',
        "SET CONSTRAINTS ALL DEFERRED",
        "SET LOCAL statement_timeout = 1",
        "SELECT pg_advisory_xact_lock(1)",
        "(SELECT 1) UNION (SELECT 2)",
    ],
)
def test_statements_as_django_writes_them_are_plain(text):
    assert is_plain(text, "postgresql")
