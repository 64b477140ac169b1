"""One job, outside a worker's loop: in a container, or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs import transitions
from jobs.exceptions import JobError
from jobs.runners import container_runner, worker_runner
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker


class Refused(JobError):
    """This execution may not perform the job. Nothing was changed."""


def run_registered(worker: Worker, pk: str, epoch: str) -> bool | None:
    """Performs the job as the only execution of its epoch; returns what `Worker.run` returns.

    LookupError where there is no such job, Refused where the epoch is over or another execution is registered.
    """
    job = _find(worker, pk)
    if str(job.epoch) != epoch.strip():
        raise Refused(f"Job {pk} is at epoch {job.epoch}, not {epoch}: this execution has been given up.")
    if not transitions.register(job, container_runner(job.epoch)):
        raise Refused(f"Job {pk} is {_now(worker, pk)}: this execution may not perform it.")
    return _perform(worker, job)


def run_by_hand(worker: Worker, pk: str) -> bool | None:
    """Locks a waiting job, due or not, and performs it, as a worker would; returns what `Worker.run` returns."""
    job = _find(worker, pk)
    if not transitions.take(job, worker.name, worker_runner(worker.name, job.epoch)):
        raise Refused(f"Job {pk} is {_now(worker, pk)}: only a job that is ready or scheduled can be performed by hand.")
    with worker.heartbeat.watching(job):
        return _perform(worker, job)


def _perform(worker: Worker, job: AbstractJob) -> bool | None:
    try:
        performed: bool | None = worker.lifecycle.run("perform", lambda worker, job: worker.run(job), worker, job)
    finally:
        worker.heartbeat.stop()
    return performed


def _find(worker: Worker, pk: str) -> AbstractJob:
    job = store_for(worker.model).get(pk)
    if job is None:
        raise LookupError(f"There is no job {pk!r}.")
    return job


def _now(worker: Worker, pk: str) -> str:
    job = store_for(worker.model).get(pk)
    if job is None:
        return "gone"
    executed = f", executed by {job.runner}" if job.runner else ""
    return f"{job.state} at epoch {job.epoch}{executed}"
