"""Every change of a job's state: one function, one conditional write.

The write's count says whether the change happened. An *executor* writes an outcome only
if it still is the runner of its epoch, a *watcher* only if it still holds the lock of
its epoch. False means that the job is not yours now: nothing was changed, and nothing
may follow. The instance is brought up to date if the write happened.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobs.conf import settings
from jobs.states import FINISHED, UNFINISHED, State
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store

UNLOCKED: Mapping[str, Any] = {"locked_by": "", "locked_at": None}
#: What is cleared whenever an execution ends or is given up, with the epoch raised.
EXECUTION_OVER: Mapping[str, Any] = {
    **UNLOCKED,
    "handed_over": False,
    "runner": "",
    "heartbeat_at": None,
}

WAITING = [State.SCHEDULED, State.READY]
IN_EXECUTION = [State.RUNNING, State.DETACHED]


def store_of(job: AbstractJob) -> Store[Any]:
    return store_for(type(job))


def as_executor(job: AbstractJob) -> dict[str, Any]:
    return {"epoch": job.epoch, "runner": job.runner}


def as_watcher(job: AbstractJob) -> dict[str, Any]:
    return {"state": State.RUNNING, "locked_by": job.locked_by, "epoch": job.epoch}


def as_seen(job: AbstractJob) -> dict[str, Any]:
    """The watcher's conditions, and that the runner has given no sign since `job` was
    read.
    """
    return {**as_watcher(job), "runner": job.runner, "heartbeat_at": job.heartbeat_at}


def succeed(job: AbstractJob) -> bool:
    """The executor's outcome: the row is deleted, or kept for a while."""
    where = as_executor(job)
    store = store_of(job)
    if not job.succeeded_rows_are_kept:
        return store.delete(job.pk, where)
    ended = {
        "state": State.SUCCEEDED,
        "finished_at": store.now(),
        "unique_key": None,
        "epoch": job.epoch + 1,
    }
    return store.apply(job, where, {**EXECUTION_OVER, **ended})


def reschedule(
    job: AbstractJob, where: Mapping[str, Any], run_at: dt.datetime, error: str, *, attempts: int
) -> bool:
    """A failed attempt, with others to come."""
    again = {
        "state": State.SCHEDULED,
        "attempts": attempts,
        "run_at": run_at,
        "last_error": error,
        "epoch": job.epoch + 1,
    }
    return store_of(job).apply(job, where, {**EXECUTION_OVER, **again})


def postpone(job: AbstractJob, where: Mapping[str, Any], run_at: dt.datetime, error: str) -> bool:
    """A job that this process's code may be too old for is left to a newer one.

    Nothing was executed, so no attempt is counted.
    """
    later = {
        "state": State.SCHEDULED,
        "run_at": run_at,
        "last_error": error,
        "epoch": job.epoch + 1,
    }
    return store_of(job).apply(job, where, {**EXECUTION_OVER, **later})


def fail(
    job: AbstractJob, where: Mapping[str, Any], error: str, *, attempts: int, destroy: bool = False
) -> bool:
    """Failed for good: kept with its error, or deleted if the job or the settings say
    so.
    """
    store = store_of(job)
    if destroy:
        return store.delete(job.pk, where)
    now = store.now()
    ended = {
        "state": State.FAILED,
        "failed_at": now,
        "finished_at": now,
        "attempts": attempts,
        "last_error": error,
        "unique_key": None,
        "epoch": job.epoch + 1,
    }
    return store.apply(job, where, {**EXECUTION_OVER, **ended})


def condemn(job: AbstractJob, error: str) -> bool:
    """Failed for good, because the row itself can't be worked with.

    Columns that the database wouldn't take back are set to their defaults. The epoch
    rises if it is a number, and begins again if it isn't.
    """
    store = store_of(job)
    now = store.now()
    repaired = store.repaired(job)
    where = {"state__in": IN_EXECUTION, **as_far_as_readable(job, repaired)}
    ended = {
        "state": State.FAILED,
        "failed_at": now,
        "finished_at": now,
        "last_error": error,
        "unique_key": None,
        "epoch": repaired.get("epoch", job.epoch) + 1,
    }
    return store.apply(job, where, {**repaired, **EXECUTION_OVER, **ended})


def as_far_as_readable(job: AbstractJob, repaired: Mapping[str, Any]) -> dict[str, Any]:
    """The watcher's lock and epoch, without columns that had to be repaired."""
    lock = {"locked_by": job.locked_by, "epoch": job.epoch}
    return {name: value for name, value in lock.items() if name not in repaired}


def has_ended(job: AbstractJob, error: str | None, *, deleted: bool) -> bool:
    """Whether the outcome of `job`, as it was read, is recorded already.

    For a write whose answer was lost. `error` is that of the outcome, None for a
    success; `deleted` says that the write would have deleted the row.
    """
    row = store_of(job).get(job.pk)
    if row is None or deleted:
        return row is None
    if row.epoch != job.epoch + 1:
        return False
    return row.state == State.SUCCEEDED if error is None else row.last_error == error


def hand_over(job: AbstractJob) -> bool:
    """From now on no worker may perform the job itself under this epoch."""
    return store_of(job).apply(job, as_watcher(job), {"handed_over": True})


def detach(job: AbstractJob) -> bool:
    """The watcher lets go of a job that is executed elsewhere.

    The execution goes on, so the epoch stays.
    """
    return store_of(job).apply(job, as_watcher(job), {**UNLOCKED, "state": State.DETACHED})


def adopt(job: AbstractJob) -> bool:
    """A waiting job turns out to be executed elsewhere already, as after a restored
    backup.

    The outcome of that execution will be dropped, because nothing in the row names it;
    but no second one begins beside it.
    """
    where = {"epoch": job.epoch, "state__in": WAITING, "runner": ""}
    return store_of(job).apply(job, where, {"state": State.DETACHED, "handed_over": True})


def refund(job: AbstractJob) -> bool:
    """A failed attempt that was recorded, and is to be tried again, is not counted
    after all.
    """
    where = {"epoch": job.epoch, "state__in": WAITING, "attempts": job.attempts}
    return job.attempts > 0 and store_of(job).apply(job, where, {"attempts": job.attempts - 1})


def requeue(job: AbstractJob) -> bool:
    """The watcher lets go of a job that nobody has begun to execute; nothing is
    counted.
    """
    where = {**as_seen(job), "handed_over": False, "locked_at": job.locked_at}
    again = {**EXECUTION_OVER, "state": State.READY, "epoch": job.epoch + 1}
    return store_of(job).apply(job, where, again)


def register(job: AbstractJob, runner: str) -> bool:
    """A container becomes its epoch's only execution, before it runs a line of the job.

    The first to register wins. Registering again under the same name changes nothing
    else.
    """
    store = store_of(job)
    where = {"epoch": job.epoch, "state__in": IN_EXECUTION, "runner__in": ["", runner]}
    return store.apply(job, where, _begun(runner, store.now()))


def supersede(job: AbstractJob, runner: str) -> bool:
    """A later attempt of the registered container takes its place, if that has been
    silent for longer than its lease.

    AWS Batch starts another attempt when the container ended or its host was lost. The
    earlier one may still be alive, but from here on it can't write.
    """
    if runner_is_alive(job):
        return False
    store = store_of(job)
    where = {**as_executor(job), "state__in": IN_EXECUTION, "heartbeat_at": job.heartbeat_at}
    return store.apply(job, where, _begun(runner, store.now()))


def take(job: AbstractJob, worker_name: str, runner: str) -> bool:
    """By hand: a waiting job is locked and begun at once, due or not."""
    store = store_of(job)
    now = store.now()
    began = {
        "state": State.RUNNING,
        "locked_by": worker_name,
        "locked_at": now,
        **_begun(runner, now),
    }
    return store.apply(job, {"epoch": job.epoch, "state__in": WAITING}, began)


def clear_runner(job: AbstractJob) -> bool:
    """The runner of a cancelled execution has ended.

    Conditional on being the runner alone, because the cancel raised the epoch.
    """
    cleared = {"runner": "", "heartbeat_at": None}
    return store_of(job).change(job.pk, {"runner": job.runner}, cleared)


def cancel(job: AbstractJob) -> bool:
    """An unfinished job ends as cancelled.

    The runner stays named until it ends, so that nobody starts a second one beside it.
    """
    store = store_of(job)
    where = {"epoch": job.epoch, "state__in": list(UNFINISHED)}
    ended = {
        **UNLOCKED,
        "handed_over": False,
        "state": State.CANCELLED,
        "finished_at": store.now(),
        "unique_key": None,
        "epoch": job.epoch + 1,
    }
    return store.apply(job, where, ended)


def retry(job: AbstractJob) -> bool:
    """A finished job is ready again, with all its attempts.

    Not while a cancelled execution shows signs of life.
    """
    if runner_is_alive(job):
        return False
    store = store_of(job)
    where = {
        **as_executor(job),
        "state__in": list(FINISHED),
        "heartbeat_at": job.heartbeat_at,
    }
    return store.apply(job, where, _again(store.now()))


def retry_failed(model: type[AbstractJob]) -> int:
    """Every failed job is ready again, with all its attempts; returns how many there
    were.

    One statement, because their runners are gone.
    """
    store = store_for(model)
    now = store.now()
    where = {"state": State.FAILED, "runner": ""}
    return store.change_many(where, {**_again(now), "updated_at": now})


def sign(job: AbstractJob, signature: str) -> bool:
    """The handler gets a signature, if it still is the one that was read."""
    where = {"handler": job.handler, "signature": job.signature}
    return store_of(job).apply(job, where, {"signature": signature})


def expire(job: AbstractJob) -> bool:
    """The watcher's lease ends now. A reaper decides what becomes of the job."""
    where = {**as_watcher(job), "locked_at": job.locked_at}
    return store_of(job).apply(job, where, {"locked_at": _expired(store_of(job))})


def expire_all(model: type[AbstractJob], worker_name: str) -> int:
    """Every lease of that worker ends now."""
    store = store_for(model)
    where = {"state": State.RUNNING, "locked_by": worker_name}
    return store.change_many(where, {"locked_at": _expired(store)})


def discard(job: AbstractJob) -> bool:
    """A finished job's row is deleted."""
    return store_of(job).delete(job.pk, {"epoch": job.epoch, "state__in": list(FINISHED)})


def discard_batch(model: type[AbstractJob], where: Mapping[str, Any], limit: int) -> int:
    """Deletes up to `limit` rows that are as `where` says, each only if it still is."""
    store = store_for(model)
    chosen = store.ids(where, limit)
    return store.delete_many({**where, "pk__in": chosen}) if chosen else 0


def _begun(runner: str, now: dt.datetime) -> dict[str, Any]:
    return {"runner": runner, "started_at": now, "heartbeat_at": now}


def _again(now: dt.datetime) -> dict[str, Any]:
    return {
        **EXECUTION_OVER,
        "state": State.READY,
        "attempts": 0,
        "run_at": now,
        "failed_at": None,
        "finished_at": None,
        "started_at": None,
    }


def _expired(store: Store[Any]) -> dt.datetime:
    return store.now() - dt.timedelta(seconds=2 * settings.LEASE)


def runner_is_alive(job: AbstractJob) -> bool:
    """Whether the registered runner has shown a sign of life within the lease.

    By the database's clock.
    """
    if not job.runner or job.heartbeat_at is None:
        return False
    silent_for = store_of(job).now() - job.heartbeat_at
    return bool(silent_for.total_seconds() <= settings.LEASE)
