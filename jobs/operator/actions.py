"""What an operator does to jobs, from the command and from the admin.

Each step that decides something is in `transitions`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from jobs import transitions
from jobs.conf import settings
from jobs.exceptions import Interruption, JobError
from jobs.execution.outcomes import Recorder
from jobs.lifecycle import Lifecycle, instantiate, not_handing_over
from jobs.logs import get_logger
from jobs.logs.error_text import readable
from jobs.models import Job
from jobs.operator import elsewhere
from jobs.operator.filters import Filter
from jobs.process.reaper import Reaper
from jobs.runner import default_name
from jobs.states import FINISHED, State
from jobs.store import store_for
from jobs.store.pages import pages_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: Rows deleted in one statement.
BATCH = 1_000


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


def cancel(job: AbstractJob, *, seen_at: dt.datetime | None = None) -> None:
    """An unfinished job ends as cancelled; if it is being executed, its outcome is
    dropped.

    Refused for a finished job, and for one that changed after `seen_at`.
    """
    if transitions.cancel(job, seen_at):
        tell_cancelled(job)
        return
    now = find(job.pk, type(job))
    if now.state in FINISHED:
        raise Refused(f"Job {now.pk} is {now.state} already.")
    raise _changed(now)


def tell_cancelled(job: AbstractJob) -> None:
    """Tells the object of a job that keeps its result, once its cancel is recorded.

    An object that can't be loaded is told nothing.
    """
    if not job.result:
        return
    if job.state not in FINISHED:  # as it was read before
        job.state, job.finished_at = State.CANCELLED, timezone.now()
    try:
        job.payload._cancelled(job)
    except (Interruption, KeyboardInterrupt):
        raise
    except BaseException as error:
        logger.error(
            "Job %s is cancelled, but telling of it raised:", job, exc_info=readable(error)
        )


def unlock(job: AbstractJob, *, seen_at: dt.datetime | None = None) -> AbstractJob | None:
    """Lets go of the job's lock as if its lease had expired.

    Returns the job as it is then, None if it was deleted. A job that its worker
    performs counts a failed attempt, a job that is executed elsewhere is detached, and
    a job that nobody has begun is ready. Refused for a job that isn't locked, and for
    one that changed after `seen_at`.
    """
    if not transitions.expire(job, seen_at):
        now = find(job.pk, type(job))
        if now.state == State.RUNNING:
            raise _changed(now)
        raise Refused(f"Job {now.pk} is {now.state}, so nobody has it locked.")
    reap(type(job))
    return store_for(type(job)).get(job.pk)


def prune(
    age: dt.timedelta,
    states: Iterable[str] = FINISHED,
    model: type[AbstractJob] = Job,
    chosen: Filter | None = None,
    *,
    at: dt.datetime | None = None,
) -> int:
    """Deletes jobs that had ended longer ago than `age`, and met `chosen`, `at` that
    instant, by default now; returns how many.

    Raises ValueError for a state of jobs that have not ended.
    """
    by_index = chosen is None or not chosen.on_rows()
    discard = _discard if by_index else _discard_by_keys
    return sum(discard(model, where) for where in _to_prune(age, states, model, chosen, at))


def to_prune(
    age: dt.timedelta,
    states: Iterable[str] = FINISHED,
    model: type[AbstractJob] = Job,
    chosen: Filter | None = None,
    *,
    at: dt.datetime | None = None,
    most: int,
) -> dict[str, int]:
    """How many jobs `prune` would delete, by their states; up to `most` of each."""
    pages = pages_for(model)
    found = _to_prune(age, states, model, chosen, at)
    return {where["state"]: pages.number(where, most) for where in found}


def _to_prune(
    age: dt.timedelta,
    states: Iterable[str],
    model: type[AbstractJob],
    chosen: Filter | None,
    at: dt.datetime | None,
) -> list[dict[str, Any]]:
    """The conditions, for each state by itself, as the index of what has ended wants
    them.
    """
    if unfinished := set(states) - set(FINISHED):
        raise ValueError(f"{', '.join(sorted(unfinished))}: only jobs that have ended are pruned.")
    store, chosen = store_for(model), chosen or Filter()
    at = at or store.now()
    conditions = {**chosen.conditions(store, at), "finished_at__lt": at - age}
    conditions.pop("state__in", None)
    possible = chosen.states or tuple(states)
    return [{**conditions, "state": str(state)} for state in states if state in possible]


def _discard(model: type[AbstractJob], where: dict[str, Any]) -> int:
    before = partial(elsewhere.to_be_deleted, model=model)
    total = 0
    while count := transitions.discard_batch(model, where, BATCH, before):
        total += count
    return total


def _discard_by_keys(model: type[AbstractJob], where: dict[str, Any]) -> int:
    """For conditions that no index serves, so that no row is looked at twice."""
    before = partial(elsewhere.to_be_deleted, model=model)
    store, total = store_for(model), 0
    while rows := store.glance(where, ("state",), BATCH, order="pk"):
        keys = [row.pk for row in rows]
        total += transitions.discard_several(model, keys, None, [where["state"]], before)
        where = {**where, "pk__gt": keys[-1]}
    return total


def reap(model: type[AbstractJob]) -> None:
    lifecycle = Lifecycle(instantiate(not_handing_over(settings.PLUGINS)))
    Reaper(model, Recorder(default_name(), lifecycle)).reap()


def _changed(job: AbstractJob) -> Refused:
    return Refused(f"Job {job.pk} changed meanwhile (it is {job.state}): try again.")
