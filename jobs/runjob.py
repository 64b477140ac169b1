"""One job, outside a worker's loop: in a container, or by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from jobs import transitions
from jobs.conf import settings
from jobs.exceptions import JobError
from jobs.logs import about_the_job
from jobs.runner import container_runner, is_later_attempt, worker_runner
from jobs.states import State
from jobs.store import store_for
from jobs.store.patience import brief, until_available
from jobs.worker import run

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker


#: For how many seconds a database that can't be reached is waited for before the job
#: begins.
PATIENCE_AT_START = 300.0

T = TypeVar("T")


class NotBegun(JobError):
    """The job could not be begun, for a reason that has nothing to do with it.

    Nothing was changed.
    """


class Refused(JobError):
    """This execution may not perform the job. Nothing was changed."""


def run_registered(worker: Worker, pk: str, epoch: str) -> bool | None:
    """Performs the job as the only execution of its epoch; returns what `Worker.run`
    returns.

    Raises LookupError if there is no such job, Refused if the epoch is over or another
    execution is registered.
    """
    job = _find(worker, pk)
    if str(job.epoch) != epoch.strip():
        raise Refused(
            f"Job {pk} is at epoch {job.epoch}, not {epoch}: this execution has been given up."
        )
    registered = _registered(worker, job)
    if registered is None:
        raise Refused(f"Job {pk} is {_now(worker, pk)}: this execution may not perform it.")
    return _perform(worker, registered)


def _registered(worker: Worker, job: AbstractJob) -> AbstractJob | None:
    """The job with this process registered as its runner; None if it may not be."""
    try:
        runner = container_runner(job.epoch)
    except ValueError as error:
        raise NotBegun(str(error)) from error
    # Registering twice isn't a mistake, in case the answer to the first is lost.
    if _patiently(worker, partial(transitions.register, job, runner)):
        return job
    return _take_the_place_of_an_earlier_attempt(worker, job, runner)


def _take_the_place_of_an_earlier_attempt(
    worker: Worker, job: AbstractJob, runner: str
) -> AbstractJob | None:
    """Waits until an earlier attempt of this container has been silent beyond its
    lease.

    AWS Batch's own retry runs the same command again. Returns the job with this
    execution registered; None if it may not be.
    """
    pk, epoch = job.pk, job.epoch
    while not worker.interrupted:
        current = _patiently(worker, partial(store_for(worker.model).get, pk))
        if current is not None and current.runner == runner:
            return current  # the answer to an earlier try was lost
        if current is None or current.epoch != epoch:
            return None
        if not is_later_attempt(runner, current.runner):
            return None
        if _patiently(worker, partial(transitions.supersede, current, runner)):
            return current
        worker.stopping.wait(settings.LEASE / 4)
    return None


def run_by_hand(worker: Worker, pk: str) -> bool | None:
    """Locks a waiting job, due or not, and performs it as a worker would.

    Returns what `Worker.run` returns.
    """
    job = _find(worker, pk)
    if not _patiently(worker, partial(_take, job, worker.name)):
        raise Refused(
            f"Job {pk} is {_now(worker, pk)}: "
            "only a job that is ready or scheduled can be performed by hand."
        )
    with worker.heartbeat.watching(job):
        return _perform(worker, job)


def _take(job: AbstractJob, worker_name: str) -> bool:
    """Locks the job for this process; True as well if an earlier try did, whose answer
    was lost.
    """
    runner = worker_runner(worker_name, job.epoch)
    if transitions.take(job, worker_name, runner):
        return True
    row = store_for(type(job)).get(job.pk)
    taken = (State.RUNNING, worker_name, runner, job.epoch)
    if row is None or (row.state, row.locked_by, row.runner, row.epoch) != taken:
        return False
    job.__dict__.update(row.__dict__)
    return True


def _patiently(worker: Worker, step: Callable[[], T]) -> T:
    """A step before the job begins.

    A database that fails over may not cost the job an attempt, so it is waited for.
    """
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


def _perform(worker: Worker, job: AbstractJob) -> bool | None:
    try:
        with about_the_job(job, worker.name, whole_process=True):
            performed: bool | None = worker.lifecycle.run("perform", run, worker, job)
    finally:
        worker.heartbeat.stop()
        worker.journal.close()
    return performed


def _find(worker: Worker, pk: str) -> AbstractJob:
    job = _patiently(worker, partial(store_for(worker.model).get, pk))
    if job is None:
        raise LookupError(f"There is no job {pk!r}.")
    return job


def _now(worker: Worker, pk: str) -> str:
    job = store_for(worker.model).get(pk)
    if job is None:
        return "gone"
    executed = f", executed by {job.runner}" if job.runner else ""
    return f"{job.state} at epoch {job.epoch}{executed}"
