"""What a process loads before it performs a job: its start is part of every Batch job's
bill.
"""

from __future__ import annotations

import atexit
import gc
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection

import jobs
from jobs.mongodb import speed
from tests.processes import lines

pytestmark = pytest.mark.django_db(transaction=True)

#: The web side and AWS. The admin's own package is loaded with its model: whoever
#: deletes a user deletes the log entries, too.
NOT_LOADED = (
    "boto3",
    "botocore",
    "comments.admin",
    "django.contrib.gis.gdal",
    "drf_spectacular.openapi",
    "jobs.admin",
    "jobs.metrics",
    "jobs.tracing",
    "opentelemetry",
    "prometheus_client",
    "project.urls",
    "rest_framework.serializers",
    "rest_framework.views",
)


@dataclass
class Loaded(jobs.Performable):
    """Writes the names of all modules that are loaded."""

    path: str

    def perform(self) -> None:
        assert gc.isenabled()  # manage.py starts without it
        Path(self.path).write_text("\n".join(sorted(sys.modules)))


@dataclass
class Web(jobs.Performable):
    """Needs what the web side is made of."""

    path: str

    def perform(self) -> None:
        from django.contrib import admin
        from django.contrib.auth.models import User
        from django.template.loader import render_to_string
        from django.urls import reverse

        names = (
            "post-list",
            "schema",
            "admin:index",
            "admin:jobs_job_changelist",
            "admin:auth_user_changelist",
        )
        found = [reverse(name) for name in names]
        assert admin.site.is_registered(User)
        assert "Page not found" in render_to_string("admin/404.html")
        Path(self.path).write_text("\n".join(found))


def command(name: str, job: jobs.Job) -> list[str]:
    return ["runjob", str(job.pk)] if name == "runjob" else ["jobworker", "--exit-on-complete"]


@pytest.mark.parametrize("name", ["runjob", "jobworker"])
def test_neither_the_web_side_nor_aws_is_loaded_for_a_job(start, tmp_path, name):
    path = tmp_path / "modules"
    process = start(*command(name, jobs.enqueue(Loaded(str(path)))))
    assert process.wait() == 0, process.output
    loaded = set(lines(path))
    assert "jobs.worker" in loaded
    assert loaded.isdisjoint(NOT_LOADED)


@pytest.mark.parametrize("name", ["runjob", "jobworker"])
def test_a_job_that_needs_the_web_side_finds_it(start, tmp_path, name):
    path = tmp_path / "found"
    process = start(*command(name, jobs.enqueue(Web(str(path)))))
    assert process.wait() == 0, process.output
    assert lines(path) == ["/posts", "/schema", "/admin/", "/admin/jobs/job/", "/admin/auth/user/"]


@pytest.mark.skipif(connection.vendor != "mongodb", reason="django_mongodb_backend's imports")
def test_no_library_of_geodjango_is_looked_for(start, tmp_path):
    """The search starts compilers and linkers, which it finds by PATH."""
    started = tmp_path / "started"
    for name in ("gcc", "cc", "ld"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {name} >> {started}\nexit 1\n")
        program.chmod(0o755)
    process = start("runjob", "nonsense", PATH=str(tmp_path))
    assert process.wait() == 4, process.output
    assert lines(started) == []


@pytest.mark.skipif(connection.vendor != "mongodb", reason="its driver's threads")
def test_the_driver_does_not_wait_for_its_threads_when_the_process_ends(monkeypatch):
    from pymongo.synchronous import monitor

    left_out: list[object] = []
    monkeypatch.setattr(atexit, "unregister", left_out.append)
    speed.leave_without_waiting()
    assert left_out == [
        monitor._shutdown_resources
    ]  # a private name, which another version may not have
