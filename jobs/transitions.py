"""Every change of a job's state: one function, one conditional write, whose count says whether it happened.

An *executor* writes an outcome on condition that it still is the runner of its epoch. A *watcher* writes on condition
that it still holds the lock of its epoch. False means "not mine any more": nothing was changed, and nothing may follow.
The instance is brought up to date where the write happened.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobs.conf import settings
from jobs.models import FINISHED, UNFINISHED, State
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store

UNLOCKED: Mapping[str, Any] = {"locked_by": "", "locked_at": None}
#: What is cleared whenever an execution ends or is given up, with the epoch raised.
EXECUTION_OVER: Mapping[str, Any] = {**UNLOCKED, "handed_over": False, "runner": "", "heartbeat_at": None}


def store_of(job: AbstractJob) -> Store[Any]:
    return store_for(type(job))


def as_executor(job: AbstractJob) -> dict[str, Any]:
    return {"epoch": job.epoch, "runner": job.runner}


def as_watcher(job: AbstractJob) -> dict[str, Any]:
    return {"state": State.RUNNING, "locked_by": job.locked_by, "epoch": job.epoch}


def as_seen(job: AbstractJob) -> dict[str, Any]:
    """The watcher's conditions, and that the runner hasn't shown itself since `job` was read."""
    return {**as_watcher(job), "runner": job.runner, "heartbeat_at": job.heartbeat_at}


def _change(job: AbstractJob, where: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    store = store_of(job)
    changes = {**changes, "updated_at": store.now()}
    if not store.change(job.pk, where, changes):
        return False
    for name, value in changes.items():
        setattr(job, name, value)
    return True


def succeed(job: AbstractJob) -> bool:
    """The executor's outcome: the row is deleted, or kept as succeeded for as long as the setting says."""
    where = as_executor(job)
    if not job.succeeded_rows_are_kept:
        return store_of(job).delete(job.pk, where)
    ended = {"state": State.SUCCEEDED, "finished_at": store_of(job).now(), "unique_key": None, "epoch": job.epoch + 1}
    return _change(job, where, {**EXECUTION_OVER, **ended})


def reschedule(job: AbstractJob, where: Mapping[str, Any], run_at: dt.datetime, error: str, *, attempts: int) -> bool:
    """A failed attempt, with others to come."""
    changes = {"state": State.SCHEDULED, "attempts": attempts, "run_at": run_at, "last_error": error, "epoch": job.epoch + 1}
    return _change(job, where, {**EXECUTION_OVER, **changes})


def fail(job: AbstractJob, where: Mapping[str, Any], error: str, *, attempts: int, destroy: bool = False) -> bool:
    """Failed for good: kept with its error, or deleted where the job or the settings say so."""
    if destroy:
        return store_of(job).delete(job.pk, where)
    now = store_of(job).now()
    ended = {"state": State.FAILED, "failed_at": now, "finished_at": now, "attempts": attempts, "last_error": error}
    return _change(job, where, {**EXECUTION_OVER, **ended, "unique_key": None, "epoch": job.epoch + 1})


def has_ended(job: AbstractJob, error: str | None, *, deleted: bool) -> bool:
    """Whether the outcome of `job`, as it was read, has been recorded: with this error, or as a success where it is None.

    For a write whose answer was lost. `deleted` says that it would have deleted the row.
    """
    row = store_of(job).get(job.pk)
    if row is None or deleted:
        return row is None
    return row.epoch == job.epoch + 1 and (row.state == State.SUCCEEDED if error is None else row.last_error == error)


def hand_over(job: AbstractJob) -> bool:
    """From here on no worker may perform the job in its own process under this epoch."""
    return _change(job, as_watcher(job), {"handed_over": True})


def detach(job: AbstractJob) -> bool:
    """The watcher lets go of a job that is executed elsewhere; the execution, and so the epoch, goes on."""
    return _change(job, as_watcher(job), {**UNLOCKED, "state": State.DETACHED})


def adopt(job: AbstractJob) -> bool:
    """A waiting job turns out to be executed elsewhere already: the row is older than the truth, as after a restored backup.

    Its execution can't be named any more, so that its outcome will be dropped; but no second one begins beside it.
    """
    where = {"epoch": job.epoch, "state__in": [State.SCHEDULED, State.READY], "runner": ""}
    return _change(job, where, {"state": State.DETACHED, "handed_over": True})


def refund(job: AbstractJob) -> bool:
    """A failed attempt that has been recorded, and is to be tried again, is not to be counted after all."""
    where = {"epoch": job.epoch, "state__in": [State.SCHEDULED, State.READY], "attempts": job.attempts}
    return job.attempts > 0 and _change(job, where, {"attempts": job.attempts - 1})


def requeue(job: AbstractJob) -> bool:
    """The watcher lets go of a job that nobody has begun to execute; nothing is counted."""
    where = {**as_seen(job), "handed_over": False, "locked_at": job.locked_at}
    return _change(job, where, {**EXECUTION_OVER, "state": State.READY, "epoch": job.epoch + 1})


def register(job: AbstractJob, runner: str) -> bool:
    """A container becomes its epoch's only execution, before it runs a line of the job. The first to register wins."""
    now = store_of(job).now()
    began = {"runner": runner, "started_at": now, "heartbeat_at": now}
    where = {"epoch": job.epoch, "state__in": [State.RUNNING, State.DETACHED], "runner__in": ["", runner]}
    return _change(job, where, began)


def supersede(job: AbstractJob, runner: str) -> bool:
    """A later attempt of the registered Batch job takes its place, once the earlier one has been silent beyond the lease.

    AWS Batch starts it when the earlier container ended, or when its host was lost: in either case that one may still be
    alive, but from here on it can't write any more.
    """
    if runner_is_alive(job):
        return False
    now = store_of(job).now()
    where = {
        "epoch": job.epoch,
        "state__in": [State.RUNNING, State.DETACHED],
        "runner": job.runner,
        "heartbeat_at": job.heartbeat_at,
    }
    return _change(job, where, {"runner": runner, "started_at": now, "heartbeat_at": now})


def take(job: AbstractJob, worker_name: str, runner: str) -> bool:
    """By hand: a waiting job is locked and begun at once, due or not."""
    now = store_of(job).now()
    began = {"state": State.RUNNING, "locked_by": worker_name, "locked_at": now, "runner": runner}
    where = {"epoch": job.epoch, "state__in": [State.SCHEDULED, State.READY]}
    return _change(job, where, {**began, "started_at": now, "heartbeat_at": now})


def clear_runner(job: AbstractJob) -> bool:
    """The runner of a cancelled execution has ended: conditional on being the runner alone, because a cancel raised the epoch."""
    return store_of(job).change(job.pk, {"runner": job.runner}, {"runner": "", "heartbeat_at": None})


def cancel(job: AbstractJob) -> bool:
    """An unfinished job ends as cancelled. The runner stays named until it ends, so that nobody starts a second one beside it."""
    where = {"epoch": job.epoch, "state__in": list(UNFINISHED)}
    ended = {"state": State.CANCELLED, "finished_at": store_of(job).now(), "unique_key": None, "epoch": job.epoch + 1}
    return _change(job, where, {**UNLOCKED, "handed_over": False, **ended})


def retry(job: AbstractJob) -> bool:
    """A finished job becomes ready again, with all its attempts; not while a cancelled execution shows signs of life."""
    if runner_is_alive(job):
        return False
    where = {"epoch": job.epoch, "state__in": list(FINISHED), "runner": job.runner, "heartbeat_at": job.heartbeat_at}
    return _change(job, where, _again(store_of(job).now()))


def retry_failed(model: type[AbstractJob]) -> int:
    """Every failed job becomes ready again, with all its attempts: one statement, however many. Their runners are gone."""
    store = store_for(model)
    now = store.now()
    return store.change_many({"state": State.FAILED, "runner": ""}, {**_again(now), "updated_at": now})


def expire(job: AbstractJob) -> bool:
    """The watcher's lease ends now: what becomes of the job is the reaper's to decide, in this process or another."""
    return _change(job, {**as_watcher(job), "locked_at": job.locked_at}, {"locked_at": _expired(store_of(job))})


def expire_all(model: type[AbstractJob], worker_name: str) -> int:
    """Every lease of that worker ends now."""
    store = store_for(model)
    return store.change_many({"state": State.RUNNING, "locked_by": worker_name}, {"locked_at": _expired(store)})


def discard(job: AbstractJob) -> bool:
    """A finished job's row is deleted."""
    return store_of(job).delete(job.pk, {"epoch": job.epoch, "state__in": list(FINISHED)})


def discard_batch(model: type[AbstractJob], where: Mapping[str, Any], limit: int) -> int:
    """Up to `limit` rows that are as `where` says are deleted, each on condition that it still is."""
    store = store_for(model)
    chosen = store.ids(where, limit)
    return store.delete_many({**where, "pk__in": chosen}) if chosen else 0


def _again(now: dt.datetime) -> dict[str, Any]:
    afresh = {"attempts": 0, "run_at": now, "failed_at": None, "finished_at": None, "started_at": None}
    return {**EXECUTION_OVER, **afresh, "state": State.READY}


def _expired(store: Store[Any]) -> dt.datetime:
    return store.now() - dt.timedelta(seconds=2 * settings.LEASE)


def runner_is_alive(job: AbstractJob) -> bool:
    """Whether the registered runner has shown a sign of life within the lease, by the database's clock."""
    if not job.runner or job.heartbeat_at is None:
        return False
    return bool((store_of(job).now() - job.heartbeat_at).total_seconds() <= settings.LEASE)
