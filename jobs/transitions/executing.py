"""What the executor writes besides its outcome: that it begins, and that it is gone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from jobs.states import State
from jobs.transitions.conditions import (
    IN_EXECUTION,
    WAITING,
    as_executor,
    runner_is_alive,
    store_of,
)

if TYPE_CHECKING:
    from jobs.models import AbstractJob


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


def _begun(runner: str, now: dt.datetime) -> dict[str, Any]:
    return {"runner": runner, "started_at": now, "heartbeat_at": now}
