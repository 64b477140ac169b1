"""The helpers for other people's tests, in each kind of test that Django has."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase
from django.utils import timezone

import jobs
from jobs import testing
from jobs.conf import settings
from jobs.exceptions import DeserializationError, WorkerTimeout
from jobs.models import Job
from tests.processes import ROOT
from tests.samples import Fail, FailForNow, Hooked, Record, calls

HOUR = dt.timedelta(hours=1)


@dataclass
class Chain(jobs.Performable):
    """Enqueues the next of its kind."""

    left: int

    def perform(self) -> None:
        calls.append(self.left)
        if self.left:
            jobs.enqueue(Chain(self.left - 1))


@dataclass
class Loop(jobs.Performable):
    def perform(self) -> None:
        jobs.enqueue(Loop())


@dataclass
class Hangs(jobs.Performable):
    def perform(self) -> None:
        threading.Event().wait(300)


@dataclass(slots=True)
class Slots(jobs.Performable):
    number: int

    def perform(self) -> None: ...


class Helpers:
    """The same in a transaction and without one."""

    def setUp(self) -> None:
        calls.clear()

    def test_jobs_are_performed_in_the_order_of_the_queue(self):
        jobs.enqueue(Record("last"), priority=5)
        jobs.enqueue(Record("first"), priority=-5)
        jobs.enqueue(Record("later"), run_at=timezone.now() + HOUR)
        performed = testing.run_jobs()
        assert calls == ["first", "last"]
        assert [each.payload for each in performed] == [Record("first"), Record("last")]
        testing.assert_enqueued(Record, value="later")
        testing.run_jobs(until=timezone.now() + 2 * HOUR)
        assert calls == ["first", "last", "later"]
        testing.assert_no_jobs()

    def test_jobs_that_jobs_enqueue_are_performed_too(self):
        jobs.enqueue(Chain(3))
        testing.run_jobs()
        assert calls == [3, 2, 1, 0]

    def test_an_endless_chain_is_an_error(self):
        jobs.enqueue(Loop())
        with pytest.raises(AssertionError, match="More than 10"):
            testing.run_jobs(most=10)

    def test_a_job_that_hangs_is_interrupted_and_recorded(self):
        job = jobs.enqueue(Hangs())
        with pytest.raises(WorkerTimeout, match=r"0\.2 seconds"):
            testing.run_jobs(timeout=0.2)
        assert "WorkerTimeout" in Job.objects.get(pk=job.pk).last_error

    def test_only_the_jobs_of_a_queue(self):
        jobs.enqueue(Record("mail"), queue="mail")
        jobs.enqueue(Record("other"))
        testing.run_jobs(queue="mail")
        assert calls == ["mail"]

    def test_the_error_of_a_job_is_raised_once_it_is_recorded(self):
        job = jobs.enqueue(Fail("its own"))
        with pytest.raises(RuntimeError, match="its own"):
            testing.run_jobs()
        row = Job.objects.get(pk=job.pk)
        assert (row.state, row.attempts) == ("scheduled", 1)

    def test_errors_are_collected(self):
        jobs.enqueue(FailForNow("one"))
        jobs.enqueue(Record("two"))
        failed, fine = testing.run_jobs(errors="collect")
        assert (str(failed.error), fine.error, calls) == ("one", None, ["two"])

    def test_hooks_are_called_as_in_a_worker(self):
        jobs.enqueue(Hooked())
        testing.run_jobs()
        assert calls == ["enqueue", "before", "perform", "success", "after"]

    def test_a_row_that_can_not_be_loaded_is_an_error(self):
        job = jobs.enqueue(Record(1))
        Job.objects.filter(pk=job.pk).update(signature="wrong")
        with pytest.raises(DeserializationError):
            testing.run_jobs()

    def test_a_job_is_found_by_its_class_fields_and_options(self):
        at = timezone.now() + HOUR
        job = jobs.enqueue(Record(42), queue="mail", run_at=at, priority=3, unique_key="k")
        found = testing.assert_enqueued(
            Record, value=42, queue="mail", run_at=at, priority=3, unique_key="k", count=1
        )
        assert found.pk == job.pk
        assert testing.assert_enqueued("tests.samples.Record", value=42).pk == job.pk
        testing.assert_not_enqueued(Record, value=43)
        for wrong in (
            {"value": 43},
            {"queue": "x"},
            {"run_at": at + HOUR},
            {"count": 2},
        ):
            with pytest.raises(AssertionError, match=r"Record\(value=42\) in 'mail', priority=3"):
                testing.assert_enqueued(Record, **wrong)
        with pytest.raises(AssertionError, match="1 such jobs wait, not 0"):
            testing.assert_not_enqueued(Record)
        with pytest.raises(AssertionError, match="1 job waits"):
            testing.assert_no_jobs()
        for wanted, wrong, said in (
            (5, {}, "neither a class of job objects, nor a task, nor a name"),
            (Job, {}, "Job is not a class of job objects"),
            (Record, {"values": 1}, "Record has no values"),
            (Record, {"fields": {"queue": "mail"}}, "Record has no queue"),
        ):
            for asserts in (testing.assert_enqueued, testing.assert_not_enqueued):
                with pytest.raises(TypeError, match=said):
                    asserts(wanted, **wrong)

    def test_a_job_with_slots_is_found_by_its_fields(self):
        jobs.enqueue(Slots(1))
        testing.assert_enqueued(Slots, number=1)
        testing.assert_not_enqueued(Slots, number=2)

    def test_a_base_is_asked_for_a_field_of_its_subclasses(self):
        jobs.enqueue(Record(1))
        testing.assert_enqueued(jobs.Performable, value=1)

    def test_inline_jobs_are_performed_at_once_but_stored_first(self):
        with testing.inline():
            jobs.enqueue(Record("now"))
            assert calls == ["now"]
            with pytest.raises(TypeError, match="can't be stored"):
                jobs.enqueue(Record(object()))
            with pytest.raises(RuntimeError, match="its own"):
                jobs.enqueue(Fail("its own"))
        assert not Job.objects.exists()
        jobs.enqueue(Record("then"))
        testing.assert_enqueued(Record, value="then")

    @testing.inline()
    def test_a_test_may_be_decorated(self):
        jobs.enqueue(Record("now"))
        assert calls == ["now"]

    @testing.inline()
    async def test_an_asynchronous_test_may_be_decorated(self):
        await jobs.aenqueue(Record("now"))
        assert calls == ["now"]


class InATransaction(Helpers, TestCase):
    def test_the_test_sees_what_is_enqueued_on_commit(self):
        with self.captureOnCommitCallbacks(execute=True):
            transaction.on_commit(lambda: jobs.enqueue(Record("committed")))
        testing.run_jobs()
        assert calls == ["committed"]

    def test_the_transaction_of_the_test_goes_on(self):
        jobs.enqueue(Record(1))
        testing.run_jobs()
        assert connection.in_atomic_block
        assert not connection.needs_rollback


class WithoutATransaction(Helpers, TransactionTestCase):
    pass


@testing.inline(MAX_ATTEMPTS=3)
class Decorated(TransactionTestCase):
    def test_each_of_a_class_is_inline(self):
        calls.clear()
        jobs.enqueue(Record("now"))
        assert calls == ["now"]
        assert settings.MAX_ATTEMPTS == 3


if not connection.features.supports_transactions:
    del InATransaction  # Django refuses such tests there


PROJECT = """
import datetime as dt
from django.utils import timezone
from tests.samples import Fail, Record
import jobs as queue

def test_of_a_project(jobs):
    queue.enqueue(Record(1), queue="mail")
    jobs.assert_enqueued(Record, value=1, queue="mail")
    jobs.run_jobs()
    jobs.assert_no_jobs()

def test_on_aws_batch(local_batch, tmp_path):
    from batchexec.plugin import BatchExecution
    from tests.samples import Append
    job = queue.enqueue(Append(str(tmp_path / "log"), "in a container"))
    assert queue.Worker(plugins=[BatchExecution]).work_off() == (1, 0)
    assert (tmp_path / "log").read_text() == "in a container\\n"
    assert len(local_batch.calls()["submissions"]) == 1
"""


def run_pytest(folder: Path, *names: str) -> str:
    """In a process of its own, with the fixtures of the package by `-p`."""
    if connection.vendor != "sqlite":
        pytest.skip("The fixtures know no database.")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
    }
    environment.pop("TEST_DATABASE_IS_CHOSEN", None)
    plugins = ("-p", "jobs.pytest_plugin", "-p", "batchexec.pytest_plugin")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--rootdir",
            folder,
            "--confcutdir",
            folder,
            *plugins,
            *names,
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pytest_finds_the_fixtures_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "test_project.py").write_text(PROJECT)
    assert "2 passed" in run_pytest(tmp_path, "test_project.py")


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "testing.md").read_text()
    files = dict(re.findall(r"```python\n# (shop/\w+\.py)\n(.*?)```", page, re.DOTALL))
    assert len(files) == page.count("```python") == 4
    (tmp_path / "shop").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "manage.py").write_text((ROOT / "manage.py").read_text())  # for containers
    tests = [name for name in files if "test" in name]
    assert "8 passed" in run_pytest(tmp_path, *tests)


def test_due_is_what_a_frozen_clock_says(db: None) -> None:
    jobs.enqueue(Record("later"), run_at=timezone.now() + HOUR)
    testing.run_jobs()
    assert calls == []
    with mock.patch.object(timezone, "now", return_value=timezone.now() + 2 * HOUR):
        testing.run_jobs()
    assert calls == ["later"]
