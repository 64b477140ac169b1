"""Query sets by meaning, enqueueing from a loop and a shell, signals of outcomes."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings
from django.utils import timezone

import jobs
from jobs import signals
from jobs.models import Job, State
from tests.processes import ROOT, environment
from tests.samples import Fail, Record, Undecorated

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)


def test_jobs_are_found_by_their_meaning():
    for state in State:
        Job.objects.create(name=state, state=state)
    later = timezone.now() + HOUR
    Job.objects.create(name="later", state=State.SCHEDULED, run_at=later, queue="mail")

    def names(found: Any) -> set[str]:
        return {job.name for job in found}

    of = Job.objects
    for meaning in ("ready", "succeeded", "failed", "cancelled"):
        assert names(getattr(of, meaning)()) == {meaning}
    assert names(of.scheduled()) == {"scheduled", "later"}
    assert names(of.running()) == {"running", "detached"}
    assert names(of.due()) == {"scheduled", "ready"}
    assert names(of.due(later)) == {"scheduled", "ready", "later"}
    assert names(of.finished()) == {"succeeded", "failed", "cancelled"}
    assert names(of.unfinished()) == {"scheduled", "ready", "running", "detached", "later"}
    assert names(of.scheduled().in_queue("mail")) == {"later"}
    assert names(of.filter(queue="mail").due(later)) == {"later"}


def test_jobs_are_found_by_their_class():
    jobs.enqueue_many([Record(1), Record(2), Undecorated(1)])
    jobs.enqueue(Fail())
    assert Job.objects.of(Record).count() == 2
    assert Job.objects.unfinished().of(Undecorated).get().payload.a == 1
    assert Job.objects.of("tests.samples.Fail").count() == 1
    assert not Job.objects.of(jobs.Performable).exists()
    with pytest.raises(TypeError, match="neither"):
        Job.objects.of(5)


def test_a_job_is_enqueued_from_a_loop():
    async def enqueue() -> Job:
        try:
            return await jobs.aenqueue(Record(1), queue="mail", unique_key="k")
        finally:
            await sync_to_async(connections.close_all)()

    job = asyncio.run(enqueue())
    assert (Job.objects.get().pk, job.queue) == (job.pk, "mail")
    assert asyncio.run(enqueue()).already_enqueued


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("enqueue", *arguments, stdout=out)
    return out.getvalue()


def test_a_job_is_enqueued_from_a_shell():
    said = run(
        *("tests.samples.Undecorated", "a=42", "b=[1, 2]", "--queue", "mail", "--priority", "3"),
        *("--run-at", "2030-01-01T08:00:00+01:00", "--unique-key", "k"),
    )
    job = Job.objects.get()
    assert said == f"Job {job.pk}: tests.samples.Undecorated\n"
    assert (job.payload.a, job.payload.b) == (42, [1, 2])
    assert (job.queue, job.priority, job.unique_key, job.state) == ("mail", 3, "k", "scheduled")
    assert job.run_at == dt.datetime(2030, 1, 1, 7, tzinfo=dt.timezone.utc)
    again = json.loads(run("tests.samples.Record", "--unique-key", "k", "--json"))
    assert again == {"id": str(job.pk), "name": job.name, "already_enqueued": True}
    run("tests.samples.Record", "value=a word", "--in", "2h")
    later = Job.objects.of(Record).get()
    assert later.payload.value == "a word"
    assert 1.9 * HOUR < later.run_at - timezone.now() < 2.1 * HOUR


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tests.samples.NoSuch"], "isn't known"),
        (["no_such_module.Job"], "isn't known"),
        (["nonsense"], "not a dotted path"),
        (["tests.samples.calls"], "neither a jobs.Performable nor a task"),
        (["jobs.Performable"], "can't be enqueued"),
        (["tests.samples.Undecorated"], "can't be enqueued"),
        (["tests.samples.Undecorated", "a=1", "c=2"], "can't be enqueued"),
        (["tests.samples.Record", "value"], "not NAME=VALUE"),
        (["tests.samples.Record", "1x=2"], "not NAME=VALUE"),
        (["tests.samples.Record", "--run-at", "soon"], "not a time"),
        (["tests.samples.Record", "--run-at", "2030-13-01T00:00:00"], "not a time"),
        (["tests.samples.Record", "--priority", "9999999999"], "priority"),
        (["tests.samples.Record", "value=\x00\x1b[31m", "--queue", "\x00"], "queue"),
        (["tests.samples.Record", "value=1", "value=2"], "value is given twice"),
        (["tests.samples.Record", "--queue", ""], "--queue: it is empty"),
        (["tests.samples.Record", "--unique-key", " "], "--unique-key: it is empty"),
        (["tests.samples.Record", "--in", "-1d"], "'-1d' is not a length of time"),
    ],
)
def test_what_can_not_be_enqueued_is_one_clear_line(arguments, message):
    with pytest.raises(CommandError, match=message) as refused:
        run(*arguments)
    assert "\n" not in str(refused.value)
    assert str(refused.value).isprintable()
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "[NaN]", '{"a": -Infinity}']
)
def test_a_value_that_json_does_not_have_is_text(value):
    run("tests.samples.Record", f"value={value}")
    assert Job.objects.get().payload.value == value


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("sqlite:///{}/empty.sqlite3", "The database isn't migrated (no such table: jobs_job)"),
        ("postgres://u:p@127.0.0.1:1/x", "The database can't be reached: "),
    ],
)
def test_a_database_that_takes_no_job_is_one_clear_line(tmp_path, address, message):
    done = subprocess.run(
        [sys.executable, "manage.py", "enqueue", "tests.samples.Record"],
        cwd=ROOT,
        env=environment(DATABASE_URL=address.format(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def heard():
    found: list[tuple[str, Any, Any, Any]] = []
    receivers = []
    for name in ("job_succeeded", "job_rescheduled", "job_failed"):

        def receive(sender: Any, job: Any, name: str = name, **more: Any) -> None:
            found.append((name, sender, job.state, more.get("error")))

        getattr(signals, name).connect(receive)
        receivers.append((name, receive))
    yield found
    for name, receive in receivers:
        getattr(signals, name).disconnect(receive)


def test_every_outcome_is_told_once_it_is_recorded(heard):
    jobs.enqueue(Record(1))
    with override_settings(JOBS={"MAX_ATTEMPTS": 2, "KEEP_SUCCEEDED_FOR": 60}):
        jobs.Worker().work_off()
        jobs.enqueue(Fail())
        jobs.Worker().work_off()
        Job.objects.scheduled().update(run_at=timezone.now() - HOUR)
        jobs.Worker().work_off()
    assert [(name, sender, state) for name, sender, state, _ in heard] == [
        ("job_succeeded", Job, "succeeded"),
        ("job_rescheduled", Job, "scheduled"),
        ("job_failed", Job, "failed"),
    ]
    assert [type(error) for *_, error in heard] == [type(None), RuntimeError, RuntimeError]
    jobs.enqueue(Record(1))
    Job.objects.ready().update(signature="wrong")
    jobs.Worker().work_off()
    assert heard[-1][:3] == ("job_failed", Job, "failed")


@pytest.mark.parametrize("raised", [RuntimeError, SystemExit])
def test_a_receiver_that_raises_changes_nothing(heard, raised, caplog):
    def receive(**kwargs: Any) -> None:
        raise raised("of a receiver")

    signals.job_succeeded.connect(receive)
    try:
        jobs.enqueue(Record(1))
        assert jobs.Worker().work_off() == (1, 0)
    finally:
        signals.job_succeeded.disconnect(receive)
    assert "of a receiver" in caplog.text
