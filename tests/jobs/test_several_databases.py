"""The queue in a database of its own, while routers send reads to a replica."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import ROOT, environment

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS = """
from project.settings import *
from jobs import databases

HERE = "sqlite:///" + os.environ["HERE"]
DATABASES = {
    "default": databases.parse(HERE + "/default.sqlite3"),
    "queue": databases.parse(DATABASE_URL),
    # Of a replica that lags behind for ever: it has no tables.
    "replica": databases.parse(HERE + "/replica.sqlite3"),
}
DATABASE_ROUTERS = ["shop.router.Router"]
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [*INSTALLED_APPS, "shop"]
"""
ROUTER = """
class Router:
    def db_for_read(self, model, **hints):
        return "replica" if model._meta.app_label in ("jobs", "batchexec") else None

    def db_for_write(self, model, **hints):
        return "queue" if model._meta.app_label in ("jobs", "batchexec") else None

    def allow_migrate(self, db, app_label, **hints):
        return (db == "queue") == (app_label in ("jobs", "batchexec"))
"""
BEGIN = """
import django
django.setup()
import jobs
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections, transaction
from jobs.models import Job
from tests.samples import Fail, Record, calls
from tests.tasks.work import add
Job.objects.all().delete()
class RolledBack(Exception):
    pass
"""
TESTS = """
import jobs
from django.db import transaction
from django.test import TestCase
from jobs.testing import assert_enqueued, assert_no_jobs, run_jobs
from tests.samples import Record, calls

class Ordering(TestCase):
    databases = {"default", "queue"}

    def test_outside_of_a_transaction(self):
        jobs.enqueue(Record(1))
        assert_enqueued(Record, value=1)
        run_jobs()
        assert calls == [1]

    def test_in_a_transaction_it_waits_for_the_commit(self):
        with self.captureOnCommitCallbacks(execute=True):
            with transaction.atomic():
                jobs.enqueue(Record(2))
            assert_no_jobs()
        assert_enqueued(Record, value=2)
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Runs Python, or a command of manage.py, in a project with two databases."""
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "__init__.py").touch()
    for name, text in (("settings", SETTINGS), ("router", ROUTER), ("tests", TESTS)):
        (shop / f"{name}.py").write_text(text)
    surroundings = environment(
        HERE=str(tmp_path),
        DJANGO_SETTINGS_MODULE="shop.settings",
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]),
    )

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("manage.py", "migrate", "--verbosity", "0")
    run("manage.py", "migrate", "--verbosity", "0", "--database", "queue")
    return run


def python(script: str) -> tuple[str, str]:
    return "-c", BEGIN + textwrap.dedent(script)


def test_a_job_is_stored_when_the_transactions_elsewhere_are_committed(run):
    run(
        *python("""
        def rows():
            return sorted(job.payload.value for job in Job.objects.of(Record))

        assert jobs.enqueue(Record(1)).pk  # there is no transaction
        with transaction.atomic():
            User.objects.create(username="ada")
            waiting = jobs.enqueue(Record(2))
            many = jobs.enqueue_many([Record(3)])
            now = jobs.enqueue(Record(4), on_commit=False)
            result = add.enqueue(1, b=2)
            assert (waiting.pk, result.id, result.status) == (None, "", "READY")
            assert rows() == [1, 4]
        assert rows() == [1, 2, 3, 4] and waiting.pk
        assert add.get_result(result.id).args == [1]

        try:
            with transaction.atomic():
                jobs.enqueue(Record(5))
                jobs.enqueue_many([Record(5)])
                add.enqueue(5)
                raise RolledBack
        except RolledBack:
            pass
        with transaction.atomic():
            try:
                with transaction.atomic():
                    jobs.enqueue(Record(5))
                    raise RolledBack
            except RolledBack:
                pass
        assert (rows(), Job.objects.count()) == ([1, 2, 3, 4], 5)

        # A transaction of the queue's own database is joined, whatever else is open.
        with transaction.atomic(using="queue"):
            assert jobs.enqueue(Record(6)).pk
            transaction.set_rollback(True, using="queue")
        with transaction.atomic(), transaction.atomic(using="queue"):
            assert jobs.enqueue(Record(7)).pk
        # With on_commit=True, the job waits for all.
        with transaction.atomic():
            with transaction.atomic(using="queue"):
                assert jobs.enqueue(Record(8), on_commit=True).pk is None
            assert rows() == [1, 2, 3, 4, 7]
        with transaction.atomic(using="queue"):
            try:
                with transaction.atomic():
                    jobs.enqueue(Record(9), on_commit=True)
                    raise RolledBack
            except RolledBack:
                pass
        assert rows() == [1, 2, 3, 4, 7, 8]

        connections["default"].set_autocommit(False)
        try:
            jobs.enqueue(Record(10))
        except transaction.TransactionManagementError as error:
            assert "on_commit" in str(error)
        else:
            raise AssertionError
        assert jobs.enqueue(Record(10), on_commit=False).pk
    """)
    )


def test_nothing_of_the_queue_reads_from_a_replica(run):
    run(
        *python("""
        job = jobs.enqueue(Record(1))
        job.refresh_from_db()
        Job.objects.only("id").get().queue
        jobs.enqueue_many([Record(2), Fail()], queue="mail")
        assert jobs.enqueue(Record(1), unique_key="k").pk
        assert jobs.enqueue(Record(1), unique_key="k").already_enqueued
        jobs.cancel(job)
        jobs.retry(job)
        jobs.cancel(jobs.enqueue(Record(1)))
        User.objects.create_superuser("root", password="x")
        from django.test import Client
        client = Client()
        client.force_login(User.objects.get())
        pages = ["job/", f"job/{job.pk}/", f"job/{job.pk}/history/", "job/?q=Record"]
        for page in ["", "jobs/", *(f"jobs/{one}" for one in pages), "batchexec/batchjob/"]:
            assert client.get(f"/admin/{page}", follow=True).status_code == 200, page
    """)
    )
    run("manage.py", "jobworker", "--exit-on-complete")
    run(
        *python("""
        jobs.enqueue(Record(1))
        for command in (
            "list", "check", "stats", "errors", "workers", "pause mail", "resume mail",
            "retry --failed --yes", "prune --older-than 1d --yes",
        ):
            call_command("jobs", *command.split())
        call_command("batchjobs", "list")
        call_command("check", databases=["queue"])
        call_command("runjob", str(Job.objects.of(Record).unfinished().get().pk))
        assert calls == [1]
    """)
    )


def test_in_a_test_case_a_job_waits_as_everywhere(run):
    run("manage.py", "test", "shop", "--verbosity", "0")
