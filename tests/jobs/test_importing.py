"""`manage.py import_delayed_jobs`: rows of Delayed Job become jobs, once each."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import QuerySet

import jobs
from jobs import transitions
from jobs.importing import ruby
from jobs.models import ImportedJob, Job, State
from jobs.store import store_for
from tests.processes import ROOT, environment, wait_for
from tests.samples import calls

pytestmark = pytest.mark.django_db(transaction=True)

NEWSLETTER = "--- !ruby/struct:NewsletterJob\nvalue: lorem\n"
METHOD = """--- !ruby/object:Delayed::PerformableMethod
object: !ruby/object:Order
  concise_attributes: []
  attributes:
    id: 42
    total: 9
method_name: :send_invoice
args:
- 2
kwargs:
  :urgent: true
"""
ACTIVE_JOB = """--- !ruby/object:ActiveJob::QueueAdapters::DelayedJobAdapter::JobWrapper
job_data:
  job_class: SendInvoiceJob
  job_id: 0b0ddd5c-9d57-4a8b-8d6b-000000000000
  arguments:
  - _aj_globalid: gid://shop/Order/42
  - urgent: true
    _aj_ruby2_keywords:
    - urgent
"""
MAPPING = {
    "NewsletterJob": "tests.samples.Record",
    "Order#send_invoice": {
        "class": "tests.samples.Undecorated",
        "fields": {"id": "a", "args.0": None, "kwargs.urgent": "b"},
    },
    "SendInvoiceJob": {
        "class": "tests.samples.Undecorated",
        "fields": {"args.0": "a", "kwargs.urgent": "b"},
    },
    "StrictJob": {"class": "tests.samples.Record", "fields": {"value": "value"}},
}
SCHEMA = """CREATE TABLE delayed_jobs (
    id INTEGER PRIMARY KEY, priority INTEGER DEFAULT 0 NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL, handler TEXT NOT NULL, last_error TEXT,
    run_at DATETIME, locked_at DATETIME, failed_at DATETIME,
    locked_by VARCHAR, queue VARCHAR, created_at DATETIME, updated_at DATETIME)"""
PAST, FUTURE = "2026-01-02 03:04:05.678901", "2099-01-02 03:04:05"


class Source:
    """A database of Rails in a file of SQLite."""

    def __init__(self, folder: Path):
        self.path = folder / "rails.sqlite3"
        self.mapping = folder / "mapping.json"
        self.mapping.write_text(json.dumps(MAPPING))
        with self.connection() as found:
            found.execute(SCHEMA)

    def connection(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.path, isolation_level=None))

    def add(self, handler: Any, **columns: Any) -> None:
        columns = {"handler": handler, "run_at": PAST, "created_at": PAST, **columns}
        marks = ", ".join("?" * len(columns))
        with self.connection() as found:
            found.execute(
                f"INSERT INTO delayed_jobs ({', '.join(columns)}) VALUES ({marks})",
                list(columns.values()),
            )

    def count(self) -> int:
        with self.connection() as found:
            return int(found.execute("SELECT count(*) FROM delayed_jobs").fetchone()[0])

    def command(self, *options: str) -> list[str]:
        return [
            *("import_delayed_jobs", "--url", f"sqlite:///{self.path}"),
            *("--mapping", str(self.mapping), *options),
        ]

    def run(self, *options: str) -> list[str]:
        out = StringIO()
        call_command(*self.command(*options), stdout=out)
        return out.getvalue().splitlines()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def test_jobs_methods_and_active_jobs_are_imported_and_performed(source):
    source.add(NEWSLETTER, priority=7, queue="mail", attempts=3, last_error="it broke")
    source.add(METHOD, run_at=FUTURE)
    source.add(ACTIVE_JOB)
    assert source.run() == ["Imported 3, imported before 0, left 0."]
    first, second, third = Job.objects.order_by("created_at", "pk")
    assert (first.priority, first.queue, first.attempts, first.state) == (7, "mail", 3, "ready")
    assert first.last_error == "it broke"
    assert first.run_at.replace(microsecond=0) == dt.datetime(
        2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc
    )
    assert (second.state, second.run_at.year, second.queue) == ("scheduled", 2099, "default")
    assert (second.payload.a, second.payload.b) == (42, True)
    assert (third.payload.a, third.payload.b) == ("42", True)
    calls.clear()
    assert jobs.Worker().work_off() == (2, 0)
    assert sorted(map(str, calls)) == ["('42', True)", "lorem"]
    assert source.count() == 3  # nothing there has changed


def test_a_job_is_imported_once(source):
    source.add(NEWSLETTER)
    first, last = source.run("--dry-run")
    assert ": would be imported as " in first
    assert last == "Would import 1, imported before 0, left 0."
    assert not Job.objects.exists()
    source.run()
    jobs.Worker().work_off()  # it has gone from the queue, too
    source.add(NEWSLETTER)
    assert source.run() == ["Imported 1, imported before 1, left 0."]
    assert Job.objects.count() == 1
    source.run("--delete")
    assert (source.count(), Job.objects.count()) == (0, 1)


def test_what_is_locked_failed_or_not_mapped_is_left_and_named(source):
    source.add(NEWSLETTER, locked_at=PAST, locked_by="host:a pid:1")
    source.add(NEWSLETTER, failed_at=PAST, locked_by="host:a pid:1", last_error="it\nbroke")
    source.add("--- !ruby/object:Unknown {}\n")
    source.add("--- !ruby/object:StrictJob\nvalue: 1\nother: 2\n")
    source.add("--- !ruby/object:NewsletterJob\nother: 2\n")
    said = source.run("--delete")
    assert [line.partition(", because ")[2][:40] for line in said[:-1]] == [
        "it is locked by host:a pid:1",
        "it has failed for good; --failed imports",
        "the mapping has no class for Unknown",
        "the mapping doesn't say what becomes of ",
        "Record doesn't take its fields: Record._",
    ]
    assert said[-1] == "Imported 0, imported before 0, left 5."
    assert source.count() == 5
    assert source.run("--failed")[-1] == "Imported 1, imported before 0, left 4."
    job = Job.objects.get()
    assert (job.state, job.last_error, job.failed_at.year) == (State.FAILED, "it\nbroke", 2026)
    jobs.retry(job)
    assert jobs.Worker().work_off() == (1, 0)


BOMB = "--- !ruby/struct:NewsletterJob\na: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "an alias bomb": BOMB,
    "an alias of itself": "--- &a !ruby/struct:NewsletterJob\nvalue: *a\n",
    "deep": "[" * 100_000,
    "deep objects": "--- !ruby/struct:NewsletterJob\nvalue: " + "{a: " * 200 + "1" + "}" * 200,
    "huge": "--- !ruby/struct:NewsletterJob\nvalue: " + "x" * 1_100_000,
    "not UTF-8": b"--- !ruby/struct:NewsletterJob\nvalue: \xff\xfe\n",
    "a broken text": "--- !ruby/struct:NewsletterJob\nvalue: 'x\n",
    "no YAML": "\x00\x01",
    "nothing": "",
    "two documents": NEWSLETTER + NEWSLETTER,
    "a plain hash": "value: 1\n",
    "a text": "--- lorem\n",
    "python": "--- !!python/object/apply:os.system ['touch /tmp/owned']\n",
    "python inside": "--- !ruby/struct:NewsletterJob\nvalue: !!python/name:os.system\n",
    "a regexp": "--- !ruby/struct:NewsletterJob\nvalue: !ruby/regexp /x/\n",
    "an exception": "--- !ruby/exception:RuntimeError\nmessage: x\n",
    "a class": "--- !ruby/struct:NewsletterJob\nvalue: !ruby/class Kernel\n",
    "an object": "--- !ruby/struct:NewsletterJob\nvalue: !ruby/object:Gem::Installer\n  i: x\n",
    "a merge": "--- !ruby/struct:NewsletterJob\n<<: {value: 1}\n",
    "a list as a key": "--- !ruby/struct:NewsletterJob\n? [value]\n: 1\n",
    "a long number": "--- !ruby/struct:NewsletterJob\nvalue: " + "9" * 5000,
    "no such day": "--- !ruby/struct:NewsletterJob\nvalue: 2026-13-45\n",
    "odd base 64": "--- !ruby/struct:NewsletterJob\nvalue: !binary '%%%'\n",
    "no method": "--- !ruby/object:Delayed::PerformableMethod\nobject: x\n",
    "no target": "--- !ruby/object:Delayed::PerformableMethod\nmethod_name: :x\n",
    "no job class": f"--- !ruby/object:{ruby.WRAPPER}\njob_data: 1\n",
    "odd arguments": f"--- !ruby/object:{ruby.WRAPPER}\njob_data: {{job_class: A, arguments: 1}}\n",
}


def test_hostile_rows_are_lines_of_the_report_and_the_others_are_imported(source):
    for handler in HOSTILE.values():
        source.add(handler)
    hostile_columns = [
        {"run_at": "soon"}, {"priority": 2**40}, {"priority": "high"}, {"attempts": "x"},
        {"queue": "q" * 300}, {"queue": b"\xff"}, {"created_at": 5}, {"locked_by": "\x1b[31m\n"},
        {"last_error": b"\xff"}, {"created_at": "9999-12-31T23:59:59-12:00"},
        {"created_at": "0001-01-01T00:00:00+14:00"}, {"failed_at": "9999-12-31T23:59:59-12:00"},
        {"failed_at": "0000-00-00 00:00:00"}, {"created_at": "2026-01-02T03:04:05+99:99"},
    ]  # fmt: skip
    for columns in hostile_columns:
        source.add(NEWSLETTER, **columns)
    with source.connection() as found:
        found.execute("UPDATE delayed_jobs SET handler = CAST(x'fffe' AS TEXT) WHERE id = 2")
    source.add(NEWSLETTER)
    said = source.run("--failed")
    bad = len(HOSTILE) + len(hostile_columns)
    assert said[-1] == f"Imported 1, imported before 0, left {bad}."
    assert len(said) == bad + 1
    assert all(line.isprintable() and ": left, because " in line for line in said[:-1])
    assert Job.objects.get().payload.value == "lorem"


def test_values_of_ruby_are_read_as_what_they_are():
    found = ruby.read("""--- !ruby/object:Job
'@symbol': :urgent
quoted: ":urgent"
number: 3
text: '3'
none:
yes: true
price: !ruby/object:BigDecimal 18:0.125e2
at: 2026-01-02 03:04:05.500000000 Z
zoned: !ruby/object:ActiveSupport::TimeWithZone
  utc: 2026-01-02 03:04:05.000000000 Z
  zone: !ruby/object:ActiveSupport::TimeZone
    name: Etc/UTC
hash: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
  a: [1, 2.5]
same: &x [1]
again: *x
bytes: !binary |-
  /w==
record: !ruby/ActiveRecord:Order
  attributes:
    id: 7
document: !ruby/object:Post
  attributes:
    _id: !ruby/object:BSON::ObjectId
      raw_data: !binary |-
        ZZZZZZZZZZZZZZZZ
""")
    at = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)
    assert found.name == "Job"
    assert found.fields == {
        "symbol": "urgent", "quoted": ":urgent", "number": 3, "text": "3", "none": None,
        "True": True, "price": Decimal("12.5"), "at": at + dt.timedelta(seconds=0.5), "zoned": at,
        "hash": {"a": [1, 2.5]}, "same": [1], "again": [1], "bytes": b"\xff", "record": 7,
        "document": "659659659659659659659659",
    }  # fmt: skip


@dataclass
class Gate(jobs.Performable):
    """Keeps who enqueues it waiting for as long as the file is there."""

    path: str

    def enqueue(self, job: Any) -> None:
        if (gate := Path(self.path)).exists():
            gate.with_name("at the gate").touch()
        wait_for(lambda: not gate.exists(), 600, what="the gate opens")

    def perform(self) -> None:
        pass


def test_an_import_that_is_killed_is_gone_on_with(source, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    source.mapping.write_text(json.dumps({**MAPPING, "GateJob": "tests.jobs.test_importing.Gate"}))
    for handler in (*[NEWSLETTER] * 20, f"--- !ruby/struct:GateJob\npath: {gate}\n", NEWSLETTER):
        source.add(handler)
    process = subprocess.Popen(
        [sys.executable, "manage.py", *source.command()],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(gate.with_name("at the gate").exists, what="it has come to the gate")
        assert Job.objects.count() == 20
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    gate.unlink()
    # As if it had been killed between its two writes: before the job, and after it.
    first, second = ImportedJob.objects.filter(done=True)[:2]
    ImportedJob.objects.filter(pk__in=[first.pk, second.pk]).update(done=False)
    Job.objects.filter(pk=first.job_id).delete()
    assert source.run() == ["Imported 4, imported before 18, left 0."]
    assert Job.objects.count() == 22
    assert ImportedJob.objects.filter(done=True).count() == 22
    assert source.run() == ["Imported 0, imported before 22, left 0."]


@pytest.mark.skipif(connection.vendor == "mongodb", reason="Active Record is on SQL.")
def test_a_table_beside_the_queue_is_imported(source):
    at = "timestamp without time zone" if connection.vendor == "postgresql" else "DATETIME"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE old_jobs (id bigint PRIMARY KEY, handler text, run_at {at}, "
            f"locked_at {at}, locked_by varchar(255), failed_at {at})"
        )
        insert = "INSERT INTO old_jobs VALUES (%s, %s, %s, %s, %s, %s)"
        cursor.execute(insert, [1, NEWSLETTER, PAST, None, None, None])
        cursor.execute(insert, [2, NEWSLETTER, PAST, PAST, "host", None])
    try:
        out = StringIO()
        arguments = ("--table", "old_jobs", "--mapping", str(source.mapping), "--delete")
        call_command("import_delayed_jobs", *arguments, stdout=out)
        assert out.getvalue().splitlines() == [
            "2: left, because it is locked by host",
            "Imported 1, imported before 0, left 1.",
        ]
        job = Job.objects.get()
        assert job.run_at == dt.datetime.fromisoformat(f"{PAST}+00:00")
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM old_jobs")
            assert cursor.fetchall() == [(2,)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE old_jobs")


@pytest.mark.skipif(connection.vendor != "mongodb", reason="Mongoid is on MongoDB.")
def test_a_collection_of_mongoid_is_imported(source):
    from bson import ObjectId

    collection = connection.get_collection("delayed_backend_mongoid_jobs")
    collection.delete_many({})
    at = dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)
    collection.insert_many(
        [
            {"_id": ObjectId(), "handler": NEWSLETTER, "priority": 0, "attempts": 0, "run_at": at},
            {"_id": ObjectId(), "handler": NEWSLETTER, "locked_at": at, "locked_by": "host"},
            {"_id": ObjectId(), "handler": 5},
            {"_id": ObjectId()},
        ]
    )
    out = StringIO()
    arguments = ("import_delayed_jobs", "--mapping", str(source.mapping), "--delete")
    call_command(*arguments, stdout=out)
    assert out.getvalue().endswith("Imported 1, imported before 0, left 3.\n")
    assert Job.objects.get().payload.value == "lorem"
    assert collection.count_documents({}) == 3
    collection.drop()


@pytest.mark.skipif(connection.vendor != "mongodb", reason="Mongoid is on MongoDB.")
def test_a_value_of_any_type_of_bson_is_a_line_of_the_report(source):
    import bson

    odd = [
        bson.Binary(b"\x00\xff"), bson.Code("x"), bson.Code("x", {"a": 1}), bson.DBRef("a", 1),
        bson.Decimal128("NaN"), bson.MaxKey(), bson.MinKey(), bson.Regex("("),
        bson.Timestamp(1, 1), bson.ObjectId(), {"a": {"b": [1]}}, [1], float("nan"), 1e300, True,
        dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59),
    ]  # fmt: skip
    columns = ("handler", "run_at", "priority", "queue", "locked_at", "failed_at", "attempts")
    collection = connection.get_collection("delayed_backend_mongoid_jobs")
    collection.delete_many({})
    collection.insert_many(
        [{"handler": NEWSLETTER, column: one} for column in columns for one in odd]
        + [{"handler": NEWSLETTER, "priority": bson.Int64(3), "attempts": bson.Int64(2**40)}]
    )
    out = StringIO()
    call_command("import_delayed_jobs", "--mapping", str(source.mapping), "--failed", stdout=out)
    *left, last = out.getvalue().splitlines()
    assert all(line.isprintable() and ": left, because " in line for line in left)
    read = len(columns) * len(odd) + 1
    assert last == f"Imported {read - len(left)}, imported before 0, left {len(left)}."
    assert Job.objects.filter(priority=3).exists()
    assert all(job.payload.value == "lorem" for job in Job.objects.all())
    collection.drop()


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("{", "can't be read as JSON"),
        ("[]", "must be a dictionary"),
        ('{"A": 5}', "A: give a dotted path"),
        ('{"A": "no_such.Class"}', "A: .*isn't known"),
        ('{"A": "tests.samples.calls"}', "a subclass of jobs.Performable"),
        ('{"A": {"class": "tests.samples.Record", "fields": {"a": 5}}}', "fields is a dictionary"),
        ('{"A": {"class": "tests.samples.Record", "other": 1}}', "give a dotted path"),
    ],
)
def test_a_mapping_that_can_not_be_meant_is_refused(source, mapping, message):
    source.mapping.write_text(mapping)
    with pytest.raises(CommandError, match=message):
        source.run()


def test_what_is_no_source_is_one_clear_line(source):
    with pytest.raises(CommandError, match="no table 'jobs'"):
        source.run("--table", "jobs")
    with pytest.raises(CommandError, match="DATABASES has no 'nowhere'"):
        call_command("import_delayed_jobs", "--database", "nowhere")
    for url in ("nonsense", "mysql://rails@localhost/shop"):
        with pytest.raises(CommandError, match=r"^--url "):
            call_command("import_delayed_jobs", "--url", url)
    nothing = source.mapping.with_name("nothing.sqlite3")
    with pytest.raises(CommandError, match="--url: there is no file"):
        call_command("import_delayed_jobs", "--url", f"sqlite:///{nothing}")
    assert not nothing.exists()
    with source.connection() as found:
        found.execute("ALTER TABLE delayed_jobs DROP COLUMN handler")
    with pytest.raises(CommandError, match="lacks handler"):
        source.run()


class Killed(BaseException):
    """As if the process had ended here."""


@pytest.mark.parametrize("point", ["insert", "done", "release"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_import_that_is_killed_beside_workers_repeats_no_job(source, monkeypatch, point, when):
    on_documents = store_for(Job).keeps_documents
    if point == "release" and not on_documents:
        pytest.skip("Job and record are one transaction here.")
    place, name = {
        "insert": (type(store_for(Job)), "insert"),
        "done": (QuerySet, "update"),
        "release": (transitions, "release"),
    }[point]
    original = getattr(place, name)

    def killed(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            original(*args, **kwargs)
        raise Killed

    source.add(NEWSLETTER)
    source.add(NEWSLETTER.replace("lorem", "later"), run_at=FUTURE)
    with monkeypatch.context() as patched:
        patched.setattr(place, name, killed)
        with pytest.raises(Killed):
            source.run()
    jobs.Worker().work_off()
    assert calls == (["lorem"] if (point, when) == ("release", "after") else [])
    for _ in range(2):
        source.run()
        jobs.Worker().work_off()
    assert calls == ["lorem"]
    (later,) = Job.objects.all()
    assert (later.state, later.payload.value, later.run_at.year) == ("scheduled", "later", 2099)
