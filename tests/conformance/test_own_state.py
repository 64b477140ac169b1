"""A job that makes its own row ready, past the queue: whoever takes it performs it
beside the first, and still one outcome is recorded.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

import jobs
from jobs.models import Job, State
from jobs.signals import job_rescheduled, job_succeeded
from jobs.store import store_for
from tests.processes import in_a_thread, wait_for
from tests.samples import calls

pytestmark = pytest.mark.django_db(transaction=True)

again = threading.Event()


@dataclass
class MakesItselfReady(jobs.Performable):
    fails: bool

    def perform(self) -> None:
        calls.append("performed")
        if len(calls) > 1:
            again.set()
            return
        [pk] = store_for(Job).ids({}, 2)
        assert store_for(Job).change(pk, {"state": State.RUNNING}, {"state": State.READY})
        assert again.wait(120)
        if self.fails:
            raise RuntimeError("the first one fails")


@pytest.fixture
def outcomes():
    told: list[str] = []

    def hear(signal, **known) -> None:
        told.append("succeeded" if signal is job_succeeded else "rescheduled")

    for signal in (job_succeeded, job_rescheduled):
        signal.connect(hear)
    again.clear()
    yield told
    for signal in (job_succeeded, job_rescheduled):
        signal.disconnect(hear)


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_that_makes_its_own_row_ready_is_performed_again_and_has_one_outcome(
    outcomes, caplog, fails
):
    jobs.enqueue(MakesItselfReady(fails))
    with in_a_thread(lambda: jobs.Worker(name="first").work_off(1)):
        wait_for(lambda: calls)
        second = jobs.Worker(name="second")
        while not again.wait(0.01):
            second.work_off(1)
    assert calls == ["performed", "performed"]
    assert outcomes == ["succeeded"]
    assert caplog.text.count("its outcome is dropped") == 1
    assert not Job.objects.exists()
    assert jobs.Worker().work_off() == (0, 0)


def test_two_slots_of_one_worker_record_one_outcome_of_it_too(outcomes):
    jobs.enqueue(MakesItselfReady(False))
    worker = jobs.Worker(concurrency=2)
    with in_a_thread(worker.start):
        try:
            assert again.wait(120)
        finally:
            worker.stop()
    assert calls == ["performed", "performed"]
    assert outcomes == ["succeeded"]
    assert not Job.objects.exists()
