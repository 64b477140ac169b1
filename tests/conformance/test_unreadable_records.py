"""What somebody wrote into the rows of workers, activity and progress hides nothing
else from whoever looks.
"""

from __future__ import annotations

import datetime as dt
import json
import socket
from itertools import product
from typing import Any

import pytest
from django.db import connection, models
from django.urls import reverse
from prometheus_client.parser import text_string_to_metric_families

from jobs.admin import overview as page
from jobs.models import Activity, Job, Progress, State, WorkerRecord
from jobs.operator import monitoring, overview
from jobs.records import job_key
from jobs.store import store_for
from tests.conformance.test_hostile_rows import any_type
from tests.jobs.commanding import enqueued, runner

pytestmark = [pytest.mark.django_db(transaction=True), any_type]

VALUES: list[Any] = ["garbage", 1e999, -1e999, 1e308, 2**62, -5, b"\xff", ""]
if connection.vendor == "mongodb":
    from bson import Decimal128

    VALUES += [Decimal128("NaN"), Decimal128("1E+6000"), float("nan"), None, True, [1], {"a": 1}]

NUMBERS = ("performed", "failed", "seconds_run", "ran_03", "waited_20")
#: By the model, the columns that get each of the values.
COLUMNS: dict[type[models.Model], tuple[str, ...]] = {
    WorkerRecord: ("lease", "slots", "in_hand", "pid", "queues", "seen_at", "started_at"),
    Progress: ("done", "total", "message", "updated_at"),
    Activity: (*NUMBERS, "queue", "name", "minute"),
}


def write(row: models.Model, column: str, value: Any) -> None:
    """As somebody else would: past the queue, the models and their types."""
    table = row._meta.db_table
    if connection.vendor == "mongodb":
        store_for(type(row)).collection.update_one({"_id": row.pk}, {"$set": {column: value}})
        return
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE _id = %s", [value, row.pk])


def no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("model", COLUMNS)
def test_a_record_that_cannot_be_read_hides_no_other(admin_client, capsys, monkeypatch, model):
    now, here = store_for(Job).now(), socket.gethostname()
    minute = now.replace(second=0, microsecond=0)
    WorkerRecord.objects.create(name="good", host=here, pid=1, slots=3, in_hand=2, lease=3600)
    numbers = dict.fromkeys(NUMBERS, 1)
    Activity.objects.create(key="good", minute=minute, queue="good", name="a.Good", **numbers)
    running = {"started_at": now, "locked_at": now, "locked_by": "good", "runner": "good@0"}
    for number, (column, value) in enumerate(product(COLUMNS[model], VALUES)):
        bad = f"bad {number}"
        if model is WorkerRecord:
            row: Any = model.objects.create(name=bad, host=here, pid=1, slots=4, lease=60)
        elif model is Progress:
            row = model.objects.create(
                key=job_key(enqueued(State.RUNNING, **running)), epoch=0, done=1
            )
        else:
            row = model.objects.create(key=bad, minute=minute, queue=bad, name=bad, **numbers)
        write(row, column, value)
    job = enqueued(State.RUNNING, **{**running, "started_at": now - dt.timedelta(hours=1)})
    Progress.objects.create(key=job_key(job), epoch=0, done=30, total=120)
    shown = [job, *Job.objects.exclude(pk=job.pk)[: 2 * len(VALUES)]]
    monkeypatch.setattr(page, "SHOWN", 1000)
    overview.forget()
    for query in ({}, {"by": "name"}, {"span": "day"}, {"only": "good"}):
        response = admin_client.get(reverse("admin:jobs_job_overview"), query)
        assert response.status_code == 200, query
        assert "30 of 120 (25 %)" in response.content.decode()
        assert "good" in {one["one"].name for one in response.context_data["workers"]["rows"]}
        labels = {one["label"] for one in response.context_data["compared"]}
        assert labels & {"good", "a.Good"}, query
    listed = admin_client.get(reverse("admin:jobs_job_changelist"))
    assert "30 of 120 (25 %)" in listed.content.decode()
    response = admin_client.get("/metrics")
    assert response.status_code == 200
    found = text_string_to_metric_families(response.content.decode())
    samples = [sample for family in found for sample in family.samples]
    good = {"queue": "good", "job": "a.Good"}
    assert [
        one.value for one in samples if (one.name, one.labels) == ("jobs_performed_total", good)
    ]
    run = runner(capsys)
    assert "good" in run("workers").out
    assert "good gave a sign of life" in run("workers", "--check", "good").out
    assert run("workers", "--check", "bad 0").status in (0, 1)
    for arguments in (["workers"], ["list"], *(["show", str(one.pk)] for one in shown)):
        said = run(*arguments, "--json")
        assert json.loads(said.out, parse_constant=no_constant), said.err
        assert run(*arguments).status == 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite refuses such a sum")
def test_numbers_that_no_database_can_add_up_are_added_up_all_the_same():
    minute = store_for(Job).now().replace(second=0, microsecond=0)
    for number in range(3):
        row = Activity.objects.create(key=f"{number}", minute=minute, queue="q", name="n")
        write(row, "performed", 2**62)
    [found] = monitoring.activity(minute, ["queue"])
    assert found.performed == pytest.approx(3 * 2**62)
