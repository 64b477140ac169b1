"""One job, outside a worker's loop: in a container, or by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from jobs import transitions
from jobs.conf import settings
from jobs.exceptions import JobError
from jobs.models import State
from jobs.runner import container_runner, is_later_attempt, worker_runner
from jobs.store import store_for
from jobs.store.patience import brief, until_available

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker


#: How long a database that can't be reached is waited for before the job is begun, in seconds.
PATIENCE_AT_START = 300.0

T = TypeVar("T")


class NotBegun(JobError):
    """The job could not be begun, for a reason that has nothing to do with it. Nothing was changed."""


class Refused(JobError):
    """This execution may not perform the job. Nothing was changed."""


def run_registered(worker: Worker, pk: str, epoch: str) -> bool | None:
    """Performs the job as the only execution of its epoch; returns what `Worker.run` returns.

    LookupError where there is no such job, Refused where the epoch is over or another execution is registered.
    """
    job = _find(worker, pk)
    if str(job.epoch) != epoch.strip():
        raise Refused(f"Job {pk} is at epoch {job.epoch}, not {epoch}: this execution has been given up.")
    runner = container_runner(job.epoch)
    # Registering a second time is no mistake, should the answer to the first be lost.
    registered = (
        job
        if _patiently(worker, lambda: transitions.register(job, runner))
        else _take_the_place_of_an_earlier_attempt(worker, pk, job.epoch, runner)
    )
    if registered is None:
        raise Refused(f"Job {pk} is {_now(worker, pk)}: this execution may not perform it.")
    return _perform(worker, registered)


def _take_the_place_of_an_earlier_attempt(worker: Worker, pk: str, epoch: int, runner: str) -> AbstractJob | None:
    """AWS Batch's own retry runs the same command again: waits until the earlier attempt has been silent beyond the lease.

    Returns the job with this execution registered; None where it may not be.
    """
    while not worker.interrupted:
        job = _patiently(worker, lambda: store_for(worker.model).get(pk))
        if job is not None and job.runner == runner:
            return job  # the answer to an earlier try was lost
        if job is None or job.epoch != epoch or not is_later_attempt(runner, job.runner):
            return None
        if _patiently(worker, partial(transitions.supersede, job, runner)):
            return job
        worker.stopping.wait(settings.LEASE / 4)
    return None


def run_by_hand(worker: Worker, pk: str) -> bool | None:
    """Locks a waiting job, due or not, and performs it, as a worker would; returns what `Worker.run` returns."""
    job = _find(worker, pk)
    runner = worker_runner(worker.name, job.epoch)
    if not _patiently(worker, lambda: transitions.take(job, worker.name, runner) or _is_taken(job, worker.name, runner)):
        raise Refused(f"Job {pk} is {_now(worker, pk)}: only a job that is ready or scheduled can be performed by hand.")
    with worker.heartbeat.watching(job):
        return _perform(worker, job)


def _patiently(worker: Worker, step: Callable[[], T]) -> T:
    """A step before the job is begun. A database that fails over may not cost the job an attempt: it is waited for."""
    store = store_for(worker.model)
    try:
        result = until_available(store, step, worker.stopping, give_up_after=PATIENCE_AT_START)
    except Exception as error:
        if not store.is_unavailable(error):
            raise
        raise NotBegun(f"The database can't be reached: {brief(error)}") from error
    if result is None and worker.stopping.is_set():
        raise NotBegun("This process was told to end while it waited for the database.")
    return cast("T", result)


def _is_taken(job: AbstractJob, worker_name: str, runner: str) -> bool:
    """Whether the job is locked by this process already: the answer to an earlier try was lost."""
    row = store_for(type(job)).get(job.pk)
    if row is None or (row.state, row.locked_by, row.runner, row.epoch) != (State.RUNNING, worker_name, runner, job.epoch):
        return False
    job.__dict__.update(row.__dict__)
    return True


def _perform(worker: Worker, job: AbstractJob) -> bool | None:
    try:
        performed: bool | None = worker.lifecycle.run("perform", lambda worker, job: worker.run(job), worker, job)
    finally:
        worker.heartbeat.stop()
    return performed


def _find(worker: Worker, pk: str) -> AbstractJob:
    job = _patiently(worker, lambda: store_for(worker.model).get(pk))
    if job is None:
        raise LookupError(f"There is no job {pk!r}.")
    return job


def _now(worker: Worker, pk: str) -> str:
    job = store_for(worker.model).get(pk)
    if job is None:
        return "gone"
    executed = f", executed by {job.runner}" if job.runner else ""
    return f"{job.state} at epoch {job.epoch}{executed}"
