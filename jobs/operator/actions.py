"""What an operator does to jobs, from the command and from the admin.

Each step that decides something is in `transitions`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs import transitions
from jobs.conf import settings
from jobs.exceptions import JobError
from jobs.execution.outcomes import Recorder
from jobs.lifecycle import Lifecycle, instantiate, not_handing_over
from jobs.models import Job
from jobs.operator import elsewhere
from jobs.process.reaper import Reaper
from jobs.runner import default_name
from jobs.states import FINISHED, State
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Rows deleted in one statement.
BATCH = 1_000
#: Jobs that are counted at most before they are deleted.
MANY = 10_000
#: Jobs that may be executed right now are deleted only if you name their state.
BEING_EXECUTED = (State.RUNNING, State.DETACHED)


class Refused(JobError):
    """The job's state doesn't allow it; the text says why. Nothing was changed."""


class NoSuchJob(JobError, LookupError):
    """There is no job of that id, or it can't be an id."""


def find(pk: Any, model: type[AbstractJob] = Job) -> AbstractJob:
    """The job as it is now. Raises NoSuchJob if there is none, or if `pk` can't be an
    id.
    """
    job = store_for(model).get(pk)
    if job is None:
        raise NoSuchJob(f"There is no job {pk!r}.")
    return job


def retry(job: AbstractJob) -> None:
    """A failed, cancelled or succeeded job is ready again, at once and with all its
    attempts.

    Refused for a job in another state, and while the runner of a cancelled job still
    shows signs of life.
    """
    if transitions.retry(job):
        return
    now = find(job.pk, type(job))
    if now.state not in FINISHED:
        raise Refused(
            f"Job {now.pk} is {now.state}: "
            "only a failed, cancelled or succeeded job can be retried."
        )
    if transitions.runner_is_alive(now):
        raise Refused(
            f"Job {now.pk} was {now.state}, but {now.runner} still executes it: "
            "it can be retried once that has ended, "
            f"or has been silent for {settings.LEASE:g} seconds."
        )
    raise _changed(now)


def retry_failed(model: type[AbstractJob] = Job) -> int:
    """Every failed job; returns how many there were."""
    return transitions.retry_failed(model)


def cancel(job: AbstractJob) -> None:
    """An unfinished job ends as cancelled; if it is being executed, its outcome is
    dropped.

    Refused for a finished job.
    """
    if transitions.cancel(job):
        return
    now = find(job.pk, type(job))
    if now.state in FINISHED:
        raise Refused(f"Job {now.pk} is {now.state} already.")
    raise _changed(now)


def unlock(job: AbstractJob) -> AbstractJob | None:
    """Lets go of the job's lock as if its lease had expired.

    Returns the job as it is then, None if it was deleted. A job that its worker
    performs counts a failed attempt, a job that is executed elsewhere is detached, and
    a job that nobody has begun is ready. Refused for a job that isn't locked.
    """
    if not transitions.expire(job):
        now = find(job.pk, type(job))
        if now.state == State.RUNNING:
            raise _changed(now)
        raise Refused(f"Job {now.pk} is {now.state}, so nobody has it locked.")
    reap(type(job))
    return store_for(type(job)).get(job.pk)


def unlock_worker(name: str, model: type[AbstractJob] = Job) -> int:
    """Like `unlock` for every job that the worker of that name has locked; returns how
    many.
    """
    count = transitions.expire_all(model, name)
    if count:
        reap(model)
    return count


def clear(
    state: str | None = None, queue: str | None = None, model: type[AbstractJob] = Job
) -> int:
    """Deletes jobs; returns how many.

    Running and detached jobs are deleted only if you name their `state`. What is
    executed elsewhere is ended there.
    """
    return _discard(model, _to_clear(state, queue))


def executed_elsewhere(
    state: str | None = None, queue: str | None = None, model: type[AbstractJob] = Job
) -> int:
    """How many of the jobs that `clear` would delete are executed elsewhere now.

    No more than MANY are counted.
    """
    where = {**_to_clear(state, queue), "handed_over": True}
    return store_for(model).count(where, MANY)


def _to_clear(state: str | None, queue: str | None) -> dict[str, Any]:
    where: dict[str, Any] = {"state__in": [state] if state else clearable()}
    return where if queue is None else {**where, "queue": queue}


def clearable() -> list[str]:
    """The states that `clear` deletes if you name none."""
    return [state for state in State.values if state not in BEING_EXECUTED]


def prune(
    age: dt.timedelta, states: Iterable[str] = FINISHED, model: type[AbstractJob] = Job
) -> int:
    """Deletes jobs that ended longer ago than `age`; returns how many.

    Raises ValueError for a state of jobs that have not ended.
    """
    if unfinished := set(states) - set(FINISHED):
        raise ValueError(f"{', '.join(sorted(unfinished))}: only jobs that have ended are pruned.")
    cutoff = store_for(model).now() - age
    return sum(_discard(model, {"state": state, "finished_at__lt": cutoff}) for state in states)


def _discard(model: type[AbstractJob], where: dict[str, Any]) -> int:
    before = partial(elsewhere.to_be_deleted, model=model)
    total = 0
    while count := transitions.discard_batch(model, where, BATCH, before):
        total += count
    return total


def reap(model: type[AbstractJob]) -> None:
    lifecycle = Lifecycle(instantiate(not_handing_over(settings.PLUGINS)))
    Reaper(model, Recorder(default_name(), lifecycle)).reap()


def _changed(job: AbstractJob) -> Refused:
    return Refused(f"Job {job.pk} changed meanwhile (it is {job.state}): try again.")
