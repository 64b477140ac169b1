"""What a watcher writes: that a job is executed elsewhere, or waits again."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from jobs.states import State
from jobs.transitions.conditions import (
    EXECUTION_OVER,
    UNLOCKED,
    WAITING,
    as_seen,
    as_watcher,
    store_of,
)

if TYPE_CHECKING:
    from jobs.models import AbstractJob


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

    Only before the next execution is handed over: that one has read the attempts.
    """
    where = {
        "epoch": job.epoch,
        "attempts": job.attempts,
        "state__in": [*WAITING, State.RUNNING],
        "handed_over": False,
        "runner": "",
    }
    return job.attempts > 0 and store_of(job).apply(job, where, {"attempts": job.attempts - 1})


def put_off(job: AbstractJob, run_at: dt.datetime) -> bool:
    """The watcher leaves a job that nobody has begun to execute for later; nothing is
    counted.
    """
    where = {**as_seen(job), "handed_over": False}
    later = {"state": State.SCHEDULED, "run_at": run_at, "epoch": job.epoch + 1}
    return store_of(job).apply(job, where, {**EXECUTION_OVER, **later})


def requeue(job: AbstractJob) -> bool:
    """The watcher lets go of a job that nobody has begun to execute; nothing is
    counted.
    """
    where = {**as_seen(job), "handed_over": False, "locked_at": job.locked_at}
    again = {**EXECUTION_OVER, "state": State.READY, "epoch": job.epoch + 1}
    return store_of(job).apply(job, where, again)
