"""The keeper ends a process whose job is overdue, and records the attempt. It is told
of each before any line of the job runs.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys

import pytest

import jobs
from jobs.models import FailedAttempt, Job, State
from jobs.process.bulletin import Bulletin
from jobs.process.holds import Hold
from jobs.process.keeper import LENGTH, Keeper, _Child
from jobs.process.leases import Heartbeat
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


class Telling(Keeper):
    """A keeper without its process: what it is told can be read."""

    def __init__(self) -> None:
        Heartbeat.__init__(self)
        self._read, self._tell = os.pipe()
        os.set_blocking(self._read, False)
        self._untold, self._dead = b"", False

    def _run(self) -> None: ...

    def told(self) -> list[tuple[int, bool]]:
        """The numbers of holds, and whether each begins."""
        try:
            data = os.read(self._read, 65536)
        except BlockingIOError:
            return []
        found = []
        while data:
            [length] = LENGTH.unpack_from(data)
            number, *described = marshal.loads(data[LENGTH.size : LENGTH.size + length])
            found.append((number, bool(described)))
            data = data[LENGTH.size + length :]
        return found

    def close(self) -> None:
        os.close(self._read)
        os.close(self._tell)


@pytest.fixture
def telling():
    keeper = Telling()
    yield keeper
    keeper.close()


def test_what_is_performed_at_once_is_told_by_one_word_before_it_and_one_after(telling):
    jobs.enqueue(Record())
    job = Job.objects.reserve(jobs.Worker())
    with telling.watching(job, with_execution=True) as watch:
        assert telling.told() == []
        with telling.executing(job, 60) as execution:
            assert telling.told() == [(watch.number, True), (execution.number, True)]
            telling.limit(execution, 30)
            assert telling.told() == [(execution.number, True)]
        assert telling.told() == []
    assert telling.told() == [(execution.number, False), (watch.number, False)]


def test_what_something_may_come_between_is_told_at_once(telling):
    jobs.enqueue(Record())
    job = Job.objects.reserve(jobs.Worker())
    with telling.watching(job) as watch:
        assert telling.told() == [(watch.number, True)]
        with telling.executing(job) as execution:
            assert telling.told() == [(execution.number, True)]
        assert telling.told() == [(execution.number, False)]
    assert telling.told() == [(watch.number, False)]


def test_a_watch_whose_execution_never_begins_is_told_as_over(telling):
    jobs.enqueue(Record())
    job = Job.objects.reserve(jobs.Worker())
    with telling.watching(job, with_execution=True) as watch:
        pass
    assert telling.told() == [(watch.number, True), (watch.number, False)]
    with telling.executing(job) as execution:
        assert telling.told() == [(execution.number, True)]
    assert telling.told() == [(execution.number, False)]
