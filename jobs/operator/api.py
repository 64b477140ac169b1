"""The Python API of operators: `jobs.retry(state="failed", queue="mail")`.

Each function takes jobs or their ids, or conditions by the names of `Filter`'s fields,
or both: then only those of the jobs that meet them. It returns an `Outcome`. With
`dry_run` nothing is changed, and the outcome says what would be. Jobs that are in no
state for it are left alone, and counted. Raises TypeError if nothing says which jobs,
and for what is neither a job of that model nor an id, BadFilter for conditions that
can't be met.
"""

from __future__ import annotations

import datetime as dt
from numbers import Integral
from typing import Any

from django.db.models import Model

from jobs.instants import in_utc
from jobs.models import AbstractJob, Job
from jobs.operator import bulk
from jobs.operator.bulk import Action, Outcome, Selection
from jobs.operator.filters import Filter
from jobs.store import store_for
from jobs.terms import checked_priority, checked_text


def retry(*jobs: Any, dry_run: bool = False, **conditions: Any) -> Outcome:
    """Failed, cancelled and succeeded jobs are ready at once, with all attempts.

    Not a cancelled one whose execution still shows signs of life.
    """
    return _perform(bulk.retry(), jobs, conditions, dry_run)


def reschedule(
    *jobs: Any, to: dt.datetime | None = None, dry_run: bool = False, **conditions: Any
) -> Outcome:
    """Waiting jobs run at `to`, or now if that is None; finished ones are retried then.

    Raises ValueError for an instant that UTC can't express.
    """
    run_at = None if to is None else in_utc("to", to)
    return _perform(bulk.reschedule(run_at), jobs, conditions, dry_run)


def cancel(*jobs: Any, dry_run: bool = False, **conditions: Any) -> Outcome:
    """Unfinished jobs end as cancelled; the outcome of what executes them is
    dropped.
    """
    return _perform(bulk.cancel(), jobs, conditions, dry_run)


def unlock(*jobs: Any, dry_run: bool = False, **conditions: Any) -> Outcome:
    """Locks are let go of as if their leases had expired.

    A job that its worker performs counts a failed attempt, one that is executed
    elsewhere is detached, and one that nobody has begun is ready.
    """
    return _perform(bulk.unlock(), jobs, conditions, dry_run)


def move(
    *jobs: Any,
    to_queue: str | None = None,
    to_priority: int | None = None,
    dry_run: bool = False,
    **conditions: Any,
) -> Outcome:
    """Jobs that are not being executed get another queue, another priority, or both.

    Raises TypeError or ValueError for what no job can have.
    """
    if to_queue is None and to_priority is None:
        raise TypeError("Say to_queue, to_priority, or both.")
    queue = None if to_queue is None else checked_text("to_queue", to_queue)
    priority = None if to_priority is None else checked_priority(to_priority)
    return _perform(bulk.move(queue, priority), jobs, conditions, dry_run)


def delete(
    *jobs: Any, being_executed: bool = False, dry_run: bool = False, **conditions: Any
) -> Outcome:
    """Rows are deleted: of running and detached jobs only with `being_executed`.

    What is executed elsewhere is ended there, and nothing records its outcome.
    """
    return _perform(bulk.delete(being_executed=being_executed), jobs, conditions, dry_run)


def _perform(
    action: Action, jobs: tuple[Any, ...], conditions: dict[str, Any], dry_run: bool
) -> Outcome:
    model: type[AbstractJob] = conditions.pop("model", Job)
    given = {name: value for name, value in conditions.items() if value is not None}
    if "id" in given:
        given["id"] = _id_of(given["id"], model)
    chosen = Filter(**given)
    if not jobs and not given:
        raise TypeError("Say which jobs: jobs or ids, or conditions such as state='failed'.")
    ids = [_id_of(job, model) for job in jobs] if jobs else None
    return bulk.perform(action, Selection(chosen, ids, model=model), dry_run=dry_run)


def _id_of(job: Any, model: type[AbstractJob]) -> Any:
    """Raises TypeError for what is neither a job of that model nor of an id's type."""
    if isinstance(job, Model):
        if job._meta.concrete_model is model._meta.concrete_model:
            return job.pk
    else:
        pk = store_for(model).id_of(job)
        is_key = pk is not None and isinstance(job, type(pk))
        if is_key or (isinstance(job, (str, Integral)) and not isinstance(job, bool)):
            return job
    raise TypeError(
        f"A {type(job).__name__} is neither a {model._meta.label} nor an id of one: "
        "pass jobs or their ids, one by one."
    )
