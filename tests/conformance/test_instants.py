"""Instants are stored and read as Django's own fields do, in fewer steps."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection

from jobs.models import Job
from jobs.store import store_for
from jobs.store.writing import prepared

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite keeps instants as text"),
]

EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))
INSTANTS = [
    dt.datetime(2026, 11, 26, 15, 38, 15, 123456, dt.timezone.utc),
    dt.datetime(2026, 11, 26, 15, 38, 15, 0, dt.timezone.utc),
    dt.datetime(2026, 11, 26, 1, 0, 0, 5, EAST),
    dt.datetime(1, 1, 2, tzinfo=dt.timezone.utc),
    dt.datetime(9999, 12, 30, tzinfo=dt.timezone.utc),
]
TEXTS = [
    "2026-11-26 15:38:15.123456",
    "2026-11-26 15:38:15",
    "2026-11-26T15:38:15",
    "2026-11-26 15:38:15.5",
    "2026-11-26 15:38:15+05:30",
    "2026-11-26 15:38:15Z",
    "2026-11-26",
    "2026-11-26 15:38",
]


@pytest.mark.parametrize("instant", INSTANTS)
def test_an_instant_is_stored_as_django_stores_it(instant):
    field = Job._meta.get_field("run_at")
    assert prepared(field, instant, connection) == field.get_db_prep_save(instant, connection)


@pytest.mark.filterwarnings("ignore:DateTimeField Job.run_at received a naive datetime")
def test_so_is_one_that_names_no_zone():
    field, naive = Job._meta.get_field("run_at"), dt.datetime(2026, 7, 1, 12)
    assert prepared(field, naive, connection) == field.get_db_prep_save(naive, connection)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_as_django_reads_it(text):
    field = Job._meta.get_field("run_at")
    [ours] = store_for(Job)._converters_of(field)
    value = text
    for convert in connection.ops.get_db_converters(field.get_col("jobs_job")):
        value = convert(value, None, connection)
    assert ours(text, None, connection) == value
    assert ours(text, None, connection).utcoffset() == value.utcoffset()


@pytest.mark.parametrize("text", ["2026-13-01 00:00:00", "2026-02-30", "25:00"])
def test_a_text_that_is_no_instant_is_refused_as_django_refuses_it(text):
    [ours] = store_for(Job)._converters_of(Job._meta.get_field("run_at"))
    converters = connection.ops.get_db_converters(Job._meta.get_field("run_at").get_col("jobs_job"))

    def outcome(convert):
        try:
            return repr(convert(text, None, connection))
        except Exception as error:
            return repr(error)

    assert outcome(ours) == outcome(converters[0])
