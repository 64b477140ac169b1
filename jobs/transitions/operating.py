"""What an operator has written: jobs ended, tried again, signed, let go of, deleted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jobs import instants, results
from jobs.conf import settings
from jobs.exceptions import Cancelled
from jobs.states import FINISHED, UNFINISHED, State
from jobs.store import store_for
from jobs.transitions.conditions import (
    EXECUTION_OVER,
    UNLOCKED,
    as_executor,
    as_watcher,
    runner_is_alive,
    store_of,
)

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store


#: When a job that is held would be due: never, as far as anybody waits.
HELD_UNTIL = instants.LAST


def cancel(job: AbstractJob, seen_at: dt.datetime | None = None) -> bool:
    """An unfinished job ends as cancelled, unless it changed after `seen_at`.

    The runner stays named until it ends, so that nobody starts a second one beside it.
    """
    store = store_of(job)
    where = {**unchanged_since(seen_at), "epoch": job.epoch, "state__in": list(UNFINISHED)}
    ended = cancelled(store.now(), epoch=job.epoch + 1)
    if job.result:
        ended["result"] = _result_of_cancel(job)
    return store.apply(job, where, ended)


def _result_of_cancel(job: AbstractJob) -> str:
    path = f"{Cancelled.__module__}.{Cancelled.__qualname__}"
    text = f"{path}: The job was cancelled while it was {job.state}."
    return results.after_failure(job, path, text, begun=bool(job.runner))


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
    return store.apply(job, where, again(store.now()))


def sign(job: AbstractJob, signature: str) -> bool:
    """The handler gets a signature, if it still is the one that was read.

    A result with an older key's signature is signed with today's.
    """
    where = {"handler": job.handler, "signature": job.signature}
    changes = {"signature": signature}
    if (result := results.signed_again(job)) is not None:
        where["result"], changes["result"] = job.result, result
    return store_of(job).apply(job, where, changes)


def expire(job: AbstractJob, seen_at: dt.datetime | None = None) -> bool:
    """The watcher's lease ends now, unless the job changed after `seen_at`. A reaper
    decides what becomes of it.
    """
    where = {**as_watcher(job), **unchanged_since(seen_at), "locked_at": job.locked_at}
    return store_of(job).apply(job, where, {"locked_at": expired(store_of(job))})


def expire_all(model: type[AbstractJob], worker_name: str) -> int:
    """Every lease of that worker ends now."""
    store = store_for(model)
    where = {"state": State.RUNNING, "locked_by": worker_name}
    return store.change_many(where, {"locked_at": expired(store)})


def hold(job: AbstractJob) -> None:
    """A job that isn't stored yet will wait, once it is, until it is released."""
    job.state, job.run_at = State.SCHEDULED, HELD_UNTIL


def release(model: type[AbstractJob], pk: Any, run_at: dt.datetime) -> bool:
    """A job that was stored held waits as if it had been stored to run at `run_at`."""
    store = store_for(model)
    now = store.now()
    state = State.READY if run_at <= now else State.SCHEDULED
    where = {"state": State.SCHEDULED, "run_at": HELD_UNTIL}
    return store.change(pk, where, {"state": state, "run_at": run_at, "updated_at": now})


def discard(job: AbstractJob) -> bool:
    """A finished job's row is deleted."""
    return store_of(job).delete(job.pk, {"epoch": job.epoch, "state__in": list(FINISHED)})


def discard_batch(
    model: type[AbstractJob],
    where: Mapping[str, Any],
    limit: int,
    before: Callable[[list[Any]], object],
) -> int:
    """Deletes up to `limit` rows that are as `where` says, each only if it still is.

    `before` is called with the keys of the chosen rows before they are deleted.
    """
    store = store_for(model)
    chosen = store.ids(where, limit)
    if not chosen:
        return 0
    before(chosen)
    return store.delete_many({**where, "pk__in": chosen})


def cancelled(now: dt.datetime, *, epoch: Any) -> dict[str, Any]:
    return {
        **UNLOCKED,
        "handed_over": False,
        "state": State.CANCELLED,
        "finished_at": now,
        "unique_key": None,
        "epoch": epoch,
    }


def again(now: dt.datetime) -> dict[str, Any]:
    return {
        **EXECUTION_OVER,
        "state": State.READY,
        "attempts": 0,
        "run_at": now,
        "failed_at": None,
        "finished_at": None,
        "started_at": None,
    }


def unchanged_since(seen_at: dt.datetime | None) -> dict[str, Any]:
    """Not changed since, if that is an instant. No renewal of a lease and no heartbeat
    changes `updated_at`.
    """
    return {} if seen_at is None else {"updated_at__lte": seen_at}


def expired(store: Store[Any]) -> dt.datetime:
    return store.now() - dt.timedelta(seconds=2 * settings.LEASE)
