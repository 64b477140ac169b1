"""A row with a value that can't be read costs no worker, and hides no other row."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

import jobs
from jobs import transitions
from jobs.models import Job, State
from jobs.operator import reports
from jobs.store import store_for
from tests.conformance.test_hostile_rows import BROKEN, any_type, state_of, write
from tests.processes import row
from tests.samples import Record, calls

pytestmark = [pytest.mark.django_db(transaction=True), any_type]

only_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="text of any bytes")
only_mongodb = pytest.mark.skipif(connection.vendor != "mongodb", reason="values with a structure")


def make_broken_text(job: Job, column: str) -> None:
    with connection.cursor() as cursor:
        text = f"UPDATE jobs_job SET {column} = CAST(%s AS TEXT) WHERE id = %s"
        cursor.execute(text, [b"\xff\xfe", job.pk])


def said(*arguments: str) -> Any:
    out = io.StringIO()
    with suppress(SystemExit):  # `check` leaves with 1 if something waits for too long
        call_command("jobs", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_broken_row_hides_no_other_from_the_command_and_the_admin(admin_client):
    broken = [jobs.enqueue(Record()) for _ in BROKEN]
    good = jobs.enqueue(Record())
    for job, (column, value) in zip(broken, BROKEN, strict=True):
        write(job, **{column: value})
    if connection.vendor == "mongodb":
        from bson import Code

        for change in ({"$unset": {"name": ""}}, {"$set": {"queue": Code("x")}}):
            broken.append(jobs.enqueue(Record()))
            store_for(Job).collection.update_one({"_id": broken[-1].pk}, change)
    if connection.vendor == "sqlite":
        broken.append(jobs.enqueue(Record()))
        make_broken_text(broken[-1], "queue")
    listed = {job["id"] for job in said("list")}
    assert listed == {str(job.pk) for job in (*broken, good)}
    assert said("stats")["counts"] == reports.counts() != []
    assert "oldest_due_seconds" in said("check")
    page = admin_client.get(reverse("admin:jobs_job_changelist"))
    assert {job.pk for job in page.context["cl"].result_list} == {good.pk, *(j.pk for j in broken)}
    for job in broken:
        assert said("show", str(job.pk))["id"] == str(job.pk)
        assert admin_client.get(reverse("admin:jobs_job_change", args=[job.pk])).status_code == 200


@pytest.mark.parametrize("state", [State.READY, State.SCHEDULED, State.RUNNING])
def test_broken_rows_hide_no_others_on_the_overview(admin_client, state):
    now = timezone.now()
    good = jobs.enqueue(Record(), queue="good")
    broken = [jobs.enqueue(Record()) for _ in BROKEN]
    pks = [job.pk for job in (good, *broken)]
    Job.objects.filter(pk__in=pks).update(state=state, started_at=now, run_at=now)
    for job, (column, value) in zip(broken, BROKEN, strict=True):
        if column != "state":
            write(job, **{column: value})
    if connection.vendor == "sqlite":
        for column in ("queue", "name", "locked_by"):
            make_broken_text(jobs.enqueue(Record()), column)
    Job.objects.filter(state="ready").update(state=state)
    response = admin_client.get(reverse("admin:jobs_job_overview"))
    assert response.status_code == 200
    found = response.context_data
    if state == State.READY:
        assert "good" in {one["queue"] for one in found["waiting"]}
    if state == State.SCHEDULED:
        assert found["overdue"]
    if state == State.RUNNING:
        assert good.pk in {row["job"].pk for row in found["longest"]}


@only_sqlite
@pytest.mark.parametrize("column", ["name", "handler", "last_error", "locked_by", "unique_key"])
def test_text_that_is_not_utf8_is_not_a_database_that_is_away(column):
    bad, _good = jobs.enqueue(Record("bad"), priority=-5), jobs.enqueue(Record("good"))
    make_broken_text(bad, column)
    jobs.Worker().work_off(5)
    assert calls[-1] == "good"
    assert state_of(bad) in (State.FAILED, None)  # a claim sets locked_by anew


@only_mongodb
@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", None, True, "7", 7.5], ids=repr)
def test_an_epoch_of_any_type_refuses_no_claim(value):
    bad, good = jobs.enqueue(Record("bad"), priority=-5), jobs.enqueue(Record("good"))
    write(bad, epoch=value)
    jobs.Worker().work_off(5)
    assert calls == ["good"]
    assert (row(bad).state, row(bad).epoch) == (State.FAILED, 1)
    assert row(good) is None


@only_mongodb
@pytest.mark.parametrize("column", ["epoch", "locked_by", "runner", "attempts", "run_at"])
def test_a_document_that_lacks_a_column_of_the_queues_own_does_not_stay_running(column):
    bad = jobs.enqueue(Record("bad"), priority=-5)
    store_for(Job).collection.update_one({"_id": bad.pk}, {"$unset": {column: ""}})
    jobs.Worker().work_off(5)
    assert state_of(bad) in (State.FAILED, None)


@only_mongodb
def test_a_whole_number_that_a_shell_wrote_as_a_float_is_one():
    job = jobs.enqueue(Record("performed"))
    write(job, epoch=3.0, attempts=2.0)
    assert type(store_for(Job).get(job.pk).epoch) is int
    jobs.Worker().work_off(5)
    assert calls == ["performed"]


@contextmanager
def refusing_failure(job: Job):
    """The database lets no row fail that is this job's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER refuses BEFORE UPDATE ON jobs_job "
            f"WHEN OLD.id = {job.pk} AND NEW.state = 'failed' "
            "BEGIN SELECT RAISE(ABORT, 'it may not fail'); END"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refuses")


@only_sqlite
def test_a_row_that_cannot_even_be_made_to_fail_stops_no_other():
    bad, _good = jobs.enqueue(Record("bad"), priority=-5), jobs.enqueue(Record("good"))
    write(bad, name=b"\xff")
    with refusing_failure(bad):
        assert jobs.Worker().work_off(5) == (1, 0)
    assert calls == ["good"]


@pytest.mark.parametrize(
    ("column", "value"),
    [("heartbeat_at", 2**31), ("heartbeat_at", "now"), ("started_at", "now"), ("handed_over", "x")],
)
def test_a_watcher_records_the_failure_of_a_row_that_cannot_be_read(column, value):
    job = jobs.enqueue(Record(), unique_key="k")
    worker = jobs.Worker()
    assert Job.objects.reserve(worker) is not None
    write(job, **{column: value})
    seen = row_as_it_is(job)
    assert column in seen.unreadable
    elsewhere = row_as_it_is(job)
    write(job, runner="a container that registered meanwhile")
    where = transitions.as_seen(seen)
    assert worker.recorder.failed(seen, RuntimeError("too early"), where) is False
    write(job, runner=elsewhere.runner)
    assert worker.recorder.failed(elsewhere, RuntimeError("gone"), transitions.as_seen(elsewhere))
    ended = row(job)
    assert (ended.state, ended.epoch, ended.unique_key) == (State.FAILED, 1, None)
    assert ended.last_error.startswith("RuntimeError: gone")


def row_as_it_is(job: Job) -> Job:
    found = store_for(Job).get(job.pk)
    assert found is not None
    return found
