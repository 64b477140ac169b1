"""The canary that doesn't come home: it says why, and nothing of it is left."""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection

import jobs
from batchexec.doctor import canary
from batchexec.doctor.canary import QUEUE, Canary, Flight, remove_leftovers
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.ending import ENDED, explain
from batchexec.doctor.findings import FAULT
from batchexec.local.server import LocalBatch
from batchexec.models import BatchJob
from jobs.models import Job
from tests.batchexec.patients import Patient
from tests.batchexec.places import NEVER
from tests.processes import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def submitted(batch: LocalBatch) -> list[str]:
    return [one["jobId"] for one in batch.calls()["submissions"] if one["accepted"]]


def all_are_over(patient: Patient, batch: LocalBatch) -> bool:
    """Whether the Batch jobs that were submitted, one at least, have ended."""
    ids = submitted(batch)
    shown = patient.batch.describe_jobs(jobs=ids)["jobs"] if ids else []
    return bool(shown) and all(one["status"] in ENDED for one in shown)


def test_a_canary_that_does_not_come_home_is_given_up_and_removed(patient, batch, monkeypatch):
    batch.set_lag(NEVER)
    clock = [0.0]
    monkeypatch.setattr(canary, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def tell(step: canary.Step) -> None:
        """Its time is up as soon as it is submitted."""
        if step.text.startswith("submitted as Batch job"):
            clock[0] = 3.1

    _, verdict = canary.fly(Deployment(""), 3, tell)
    assert verdict.level == FAULT
    assert verdict.text.startswith("The canary failed: it was not over after 3 s")
    assert Job.objects.count() == 0
    wait_for(lambda: all_are_over(patient, batch))


def test_a_container_on_another_database_is_explained_as_soon_as_it_has_ended(
    patient, start, tmp_path, monkeypatch
):
    own = os.environ["DATABASE_URL"]
    # As with localbatch that was started before the variable was set.
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/another")
    options = ("--canary", "--canary-limit", "3600")
    doctor = start("batchexec", "doctor", *options, DATABASE_URL=own)
    assert doctor.wait(300) == 1, doctor.output
    (line,) = [one for one in doctor.output.splitlines() if one.startswith("fault ")]
    assert "canary: The canary failed: its Batch job ended as FAILED with exit code " in line
    assert "; its log ends with: " in line
    assert " Cure: " in line
    assert Job.objects.count() == 0
    assert BatchJob.objects.count() == 0


def test_a_container_that_knows_no_such_job_ends_the_flight_with_the_truth(
    patient, tmp_path, monkeypatch
):
    """No runner registered, so the attempt is free, and its row is scheduled again."""
    if connection.vendor != "sqlite":
        pytest.skip("A copy of the database is quickly made.")
    # It isn't due again while the doctor looks, however slow that is.
    later = dt.timedelta(hours=1)
    monkeypatch.setattr(Canary, "reschedule_at", lambda self, now, _: now + later, raising=False)
    other = tmp_path / "other"
    with closing(sqlite3.connect(other)) as copy:
        connection.ensure_connection()
        connection.connection.backup(copy)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{other}")
    steps, verdict = canary.fly(Deployment(""), 3600, lambda step: None)
    assert verdict.level == FAULT
    assert "its Batch job ended as FAILED with exit code 4 " in verdict.text
    said = f"{verdict.text} {verdict.cure}"
    assert "the container works on another database than this process" in said
    assert sum(step.text.startswith("submitted as Batch job") for step in steps) == 1
    assert Job.objects.count() == 0
    assert BatchJob.objects.count() == 0


def lost_once(batch: LocalBatch, folder: Path, first: str = "true") -> list[str]:
    """A BATCHEXEC["COMMAND"] whose first container is lost before it comes to the job.

    The second one begins with the shell's command `first`.
    """
    batch.set_faults([f"Container:kill:when={folder}/lost,times=1"])
    lost = f"mkdir {folder}/lost 2>/dev/null && exec sleep 3600"
    runs = f'{first}; exec {shlex.quote(sys.executable)} manage.py runjob "$0"'
    return ["sh", "-c", f"{lost}; {runs}"]


def test_a_canary_whose_machine_is_lost_flies_once_more(patient, batch, start, tmp_path):
    command = json.dumps(lost_once(batch, tmp_path))
    options = ("--canary", "--canary-limit", "600")
    doctor = start("batchexec", "doctor", *options, BATCHEXEC_COMMAND=command)
    assert doctor.wait(300) == 0, doctor.output
    assert doctor.output.count("submitted as Batch job") == 2
    assert "The canary flew" in doctor.output
    assert Job.objects.count() == 0
    assert BatchJob.objects.count() == 0


def test_a_flight_goes_on_with_the_batch_job_that_took_the_place_of_one(
    patient, batch, settings, tmp_path
):
    """However late the doctor looks: the first one's end isn't the second one's."""
    go = tmp_path / "go"
    command = lost_once(batch, tmp_path, f"while ! test -e {go}; do sleep 0.1; done")
    settings.BATCHEXEC = {**settings.BATCHEXEC, "COMMAND": command}
    flight = Flight(Deployment(""), 600)
    said = []
    with closing(flight.steps()) as steps:
        for step in steps:
            said.append(step.text)
            if step.text.startswith("AWS Batch says FAILED"):
                wait_for(lambda: len(submitted(batch)) == 2)
            if sum(text.startswith("submitted as Batch job") for text in said) == 2:
                go.touch()
    assert flight.outcome == ""
    assert sum(text.startswith("submitted as Batch job") for text in said) == 2
    assert said[-1] == "its outcome is recorded in the database"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_doctor_who_is_told_to_stop_takes_its_canary_along(patient, batch, start, signum):
    batch.set_lag(NEVER)
    doctor = start("batchexec", "doctor", "--canary")
    wait_for(lambda: "submitted as Batch job" in doctor.output)
    doctor.send(signum)
    assert doctor.wait() == 1
    assert f"The canary failed: {signum.name} ended it." in doctor.output
    assert Job.objects.count() == 0
    assert BatchJob.objects.count() == 0
    wait_for(lambda: all_are_over(patient, batch))


def test_the_next_doctor_removes_what_a_killed_one_has_left(patient):
    old, new = (jobs.enqueue(Canary(), queue=f"{QUEUE}{name}") for name in ("old", "new"))
    own = jobs.enqueue(Canary(), queue="mail")
    long_ago = old.created_at - dt.timedelta(hours=2)
    Job.objects.filter(pk__in=[old.pk, own.pk]).update(created_at=long_ago)
    BatchJob.objects.create(job_id=str(old.pk), epoch=0, job_name="x", batch_job_id="gone")
    assert remove_leftovers(Deployment("")) == 1
    assert {job.pk for job in Job.objects.all()} == {new.pk, own.pk}
    assert BatchJob.objects.count() == 0


@pytest.mark.parametrize(
    ("container", "text", "cure"),
    [
        ({"exitCode": 4}, "exit code 4 (Essential", "the containers' DATABASE_URL"),
        ({"exitCode": 75}, "doesn't reach the database", "let the containers' address"),
        ({"exitCode": 0}, "another database or another SECRET_KEY", "compare DATABASE_URL"),
        ({"reason": "CannotPullContainerError"}, "never ran", "docs/troubleshooting.md"),
    ],
)
def test_an_exit_status_is_said_with_its_likely_cause(region, batch, container, text, cure):
    reason = "Essential container in task exited"
    detail = {"jobId": "x", "status": "FAILED", "statusReason": reason, "container": container}
    said, todo = explain(detail)
    assert text in said
    assert cure in todo
