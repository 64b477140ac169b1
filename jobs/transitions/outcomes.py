"""How an execution ends, as its executor writes it, or the watcher of a dead one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobs import likeness, results
from jobs.states import State
from jobs.transitions.conditions import (
    EXECUTION_OVER,
    IN_EXECUTION,
    as_executor,
    store_of,
)

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.row_writes import RowWrites


def succeed(job: AbstractJob, *, through: RowWrites[Any] | None = None) -> bool:
    """The executor's outcome: the row is deleted, or kept for a while with its
    result.

    `through` writes it, in the place of the store.
    """
    where = as_executor(job)
    store = through or store_of(job)
    if not job.succeeded_rows_are_kept:
        return store.delete(job.pk, where)
    ended = {
        "state": State.SUCCEEDED,
        "finished_at": store.now(),
        "unique_key": None,
        "epoch": job.epoch + 1,
        **_result(results.after_success(job, job.returned) if job.result else None),
    }
    return store.apply(job, where, {**EXECUTION_OVER, **ended})


def reschedule(
    job: AbstractJob,
    where: Mapping[str, Any],
    run_at: dt.datetime,
    error: str,
    *,
    attempts: int,
    result: str | None = None,
    through: RowWrites[Any] | None = None,
) -> bool:
    """A failed attempt, with others to come. `result` is the job's after it, if it
    keeps one; `through` is as for `succeed`.
    """
    again = {
        "state": State.SCHEDULED,
        "attempts": attempts,
        "run_at": run_at,
        **_told(job, error),
        "epoch": job.epoch + 1,
        **_result(result),
    }
    return (through or store_of(job)).apply(job, where, {**EXECUTION_OVER, **again})


def postpone(job: AbstractJob, where: Mapping[str, Any], run_at: dt.datetime, error: str) -> bool:
    """A job that this process's code may be too old for is left to a newer one.

    Nothing was executed, so no attempt is counted.
    """
    later = {
        "state": State.SCHEDULED,
        "run_at": run_at,
        **_told(job, error),
        "epoch": job.epoch + 1,
    }
    return store_of(job).apply(job, where, {**EXECUTION_OVER, **later})


def fail(
    job: AbstractJob,
    where: Mapping[str, Any],
    error: str,
    *,
    attempts: int,
    destroy: bool = False,
    result: str | None = None,
) -> bool:
    """Failed for good: kept with its error, or deleted if the job or the settings say
    so. `result` is the job's after it, if it keeps one.
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
        **_told(job, error),
        "unique_key": None,
        "epoch": job.epoch + 1,
        **_result(result),
    }
    return store.apply(job, where, {**EXECUTION_OVER, **ended})


def _result(result: str | None) -> dict[str, str]:
    return {} if result is None else {"result": result}


def condemn(job: AbstractJob, error: str, where: Mapping[str, Any] | None = None) -> bool:
    """Failed for good, because the row itself can't be worked with.

    `where` is what must still hold, by default the watcher's lock and epoch, as far as
    these columns can be read. Columns that the database wouldn't take back are set to
    their defaults. The epoch rises if it is a number, and begins again if it isn't.
    """
    store = store_of(job)
    now = store.now()
    repaired = store.repaired(job)
    wanted = {"locked_by": job.locked_by, "epoch": job.epoch} if where is None else where
    readable = {name: value for name, value in wanted.items() if name not in repaired}
    if "state" not in readable:
        readable["state__in"] = IN_EXECUTION
    ended = {
        "state": State.FAILED,
        "failed_at": now,
        "finished_at": now,
        **_told(job, error),
        "unique_key": None,
        "epoch": repaired.get("epoch", job.epoch) + 1,
    }
    return store.apply(job, readable, {**repaired, **EXECUTION_OVER, **ended})


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


def _told(job: AbstractJob, error: str) -> dict[str, Any]:
    return {"last_error": error, "error_key": likeness.key(job.name, error)}
