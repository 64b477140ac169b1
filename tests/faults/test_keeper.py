"""The keeper ends a process whose job is overdue, and records the attempt."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import jobs
from jobs.models import FailedAttempt, Job, State
from jobs.process.bulletin import Bulletin
from jobs.process.keeper import _Child
from jobs.process.leases import Hold
from jobs.process.told import Told
from tests.processes import row
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)


class Left(BaseException):
    """In place of the end of the keeper's process."""


def test_an_overdue_attempt_is_recorded_even_if_its_process_has_ended_itself(monkeypatch):
    job = jobs.enqueue(Record())
    reserved = Job.objects.reserve(jobs.Worker(name="gone"))
    hold = Hold(Job, reserved.pk, {"runner": reserved.runner}, "heartbeat_at")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(60)
    with pytest.raises(ProcessLookupError):
        os.kill(gone.pid, 0)

    me, really_leave = os.getpid(), os._exit

    def leave(status: int) -> None:
        if os.getpid() == me:
            raise Left
        really_leave(status)  # the process apart, which the job object is asked in

    monkeypatch.setattr(os, "_exit", leave)
    keeper = _Child(-1, -1, None, Bulletin())
    keeper._parent = gone.pid
    keeper._holds[hold.number] = Told(0.001, *hold.described())
    with pytest.raises(Left):
        keeper._end_what_is_overdue()
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 1, 1)
    assert "could not be interrupted" in row(job).last_error
    assert FailedAttempt.objects.get().job_id == str(job.pk)
