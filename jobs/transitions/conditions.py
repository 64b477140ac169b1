"""What must still hold of a row for somebody's write, and what a write clears."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobs.conf import settings
from jobs.states import State
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


def lease_expired(store: Store[Any], seconds: float = 0) -> dict[str, Any]:
    """Of running jobs whose lease expired longer ago than that."""
    cutoff = store.now() - dt.timedelta(seconds=settings.LEASE + seconds)
    return {"state": State.RUNNING, "locked_at__lt": cutoff}


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


def runner_is_alive(job: AbstractJob) -> bool:
    """Whether the registered runner has shown a sign of life within the lease.

    By the database's clock.
    """
    if not job.runner or job.heartbeat_at is None:
        return False
    silent_for = store_of(job).now() - job.heartbeat_at
    return bool(silent_for.total_seconds() <= settings.LEASE)
