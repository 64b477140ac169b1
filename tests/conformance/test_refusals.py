"""Only a unique key that is held makes the job that holds it the answer; whatever else
the database refuses, the caller hears of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection, transaction

import jobs
from jobs.models import Job
from jobs.store import store_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

on_sql = pytest.mark.skipif(
    connection.vendor not in ("postgresql", "sqlite"), reason="constraints of SQL"
)
#: Each refuses a job of priority 7, as if somebody else had made it.
POSTGRESQL = {
    "check": ("ALTER TABLE jobs_job ADD CONSTRAINT other CHECK (priority <> 7) NOT VALID",),
    "trigger that says it is a duplicate": (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.priority = 7 THEN RAISE 'jobs_job_unique_key' USING ERRCODE = '23505'; END IF; "
        "RETURN NEW; END $$",
        "CREATE TRIGGER other BEFORE INSERT ON jobs_job FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
    "unique": ("CREATE UNIQUE INDEX other ON jobs_job (priority)",),
    "unique with another column": ("CREATE UNIQUE INDEX other ON jobs_job (priority, state)",),
}
SQLITE = {
    "trigger": (
        "CREATE TRIGGER other BEFORE INSERT ON jobs_job WHEN NEW.priority = 7 "
        "BEGIN SELECT RAISE(ABORT, 'jobs_job.unique_key may not be 7'); END",
    ),
    "unique": ("CREATE UNIQUE INDEX other ON jobs_job (priority)",),
    "unique with another column": ("CREATE UNIQUE INDEX other ON jobs_job (priority, state)",),
}
UNDONE = {
    "postgresql": (
        "DROP TRIGGER IF EXISTS other ON jobs_job",
        "DROP FUNCTION IF EXISTS refuse",
        "DROP INDEX IF EXISTS other",
        "ALTER TABLE jobs_job DROP CONSTRAINT IF EXISTS other",
    ),
    "sqlite": ("DROP TRIGGER IF EXISTS other", "DROP INDEX IF EXISTS other"),
}
KINDS = {"postgresql": POSTGRESQL, "sqlite": SQLITE}.get(connection.vendor, {"unique": ()})


@contextmanager
def refusing(kind: str) -> Iterator[None]:
    if connection.vendor not in UNDONE:
        collection = store_for(Job).collection
        collection.create_index([("priority", 1)], name="other", unique=True)
        try:
            yield
        finally:
            collection.drop_index("other")
        return
    try:
        for text in KINDS[kind]:
            execute(text)
        yield
    finally:
        for text in UNDONE[connection.vendor]:
            execute(text)


def execute(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_constraint_refuses_is_raised_as_it_is(kind):
    with refusing(kind):
        if kind.startswith("unique"):
            jobs.enqueue(Record("first"), priority=7)
        there = Job.objects.count()
        with pytest.raises(DatabaseError, match=r"7|other|priority|jobs_job"):
            jobs.enqueue(Record("second"), priority=7, unique_key="k")
        assert Job.objects.count() == there
        assert jobs.enqueue(Record("third"), priority=8, unique_key="k").already_enqueued is False


@pytest.mark.parametrize("kind", KINDS)
def test_the_holder_of_the_key_is_the_answer_whatever_else_is_refused(kind):
    held = jobs.enqueue(Record("first"), priority=7, unique_key="k")
    with refusing(kind):
        again = jobs.enqueue(Record("second"), priority=7, unique_key="k")
        assert (again.pk, again.already_enqueued) == (held.pk, True)


@on_sql
@pytest.mark.parametrize("kind", KINDS)
def test_of_many_none_is_stored_if_one_is_refused(kind):
    jobs.enqueue(Record(0), priority=7 if kind.startswith("unique") else 0, unique_key="held")
    payloads = [Keyed(1, "a"), Keyed(2, "held"), Keyed(3, "b"), Keyed(4, "c")]
    with refusing(kind):
        with pytest.raises(DatabaseError):
            jobs.enqueue_many(payloads, priority=7)
        assert Job.objects.count() == 1


@on_sql
def test_a_transaction_in_which_another_constraint_refused_a_job_goes_on():
    kind = next(iter(KINDS))
    with refusing(kind), transaction.atomic():
        with pytest.raises(DatabaseError), transaction.atomic():
            jobs.enqueue(Record(1), priority=7, unique_key="k")
        jobs.enqueue(Record(2), priority=8, unique_key="k")
    assert Job.objects.count() == 1


def test_many_with_held_keys_are_answered_by_their_holders():
    held = jobs.enqueue(Record(0), unique_key="held")
    found = jobs.enqueue_many([Keyed(1, "a"), Keyed(2, "held"), Keyed(3, "a"), Keyed(4, None)])
    assert [job.already_enqueued for job in found] == [False, True, True, False]
    assert (found[1].pk, found[2].pk) == (held.pk, found[0].pk)


class Keyed(jobs.Performable):
    number: int
    unique_key: str | None = None

    def perform(self) -> None: ...
