"""What an operator has written of several jobs: one conditional write for all of them.

Each function takes the keys of at most a thousand jobs, changes those of them that are
in a state for it, and returns how many that were. With `seen_at` it leaves jobs alone
that changed after that instant.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jobs.conf import settings
from jobs.states import FINISHED, UNFINISHED, State
from jobs.store import store_for
from jobs.store.base import RAISED
from jobs.transitions.conditions import WAITING
from jobs.transitions.operating import again, cancelled, expired, unchanged_since

if TYPE_CHECKING:
    from jobs.models import AbstractJob

Keys = Sequence[Any]


def retry_several(
    model: type[AbstractJob],
    keys: Keys,
    seen_at: dt.datetime | None,
    run_at: dt.datetime | None = None,
) -> int:
    """Finished jobs are ready again, or scheduled for `run_at`, with all their
    attempts.

    Not a cancelled one whose execution still shows signs of life.
    """
    store = store_for(model)
    now = store.now()
    changes = {**again(now), **_due(run_at, now), "updated_at": now}
    where = {**_as_seen(keys, seen_at), "state__in": list(FINISHED)}
    changed = store.change_many({**where, "runner": ""}, changes)
    if changed == len(keys):
        return changed
    silent_since = now - dt.timedelta(seconds=settings.LEASE)
    return changed + store.change_many({**where, "heartbeat_at__lt": silent_since}, changes)


def reschedule_several(
    model: type[AbstractJob], keys: Keys, seen_at: dt.datetime | None, run_at: dt.datetime | None
) -> int:
    """Waiting jobs are due at `run_at`, or now; nothing is counted."""
    store = store_for(model)
    now = store.now()
    where = {**_as_seen(keys, seen_at), "state__in": WAITING}
    return store.change_many(where, {**_due(run_at, now), "updated_at": now})


def cancel_several(model: type[AbstractJob], keys: Keys, seen_at: dt.datetime | None) -> int:
    """Unfinished jobs end as cancelled; see `cancel`."""
    store = store_for(model)
    now = store.now()
    where = {**_as_seen(keys, seen_at), "state__in": list(UNFINISHED)}
    return store.change_many(where, {**cancelled(now, epoch=RAISED), "updated_at": now})


def expire_several(model: type[AbstractJob], keys: Keys, seen_at: dt.datetime | None) -> int:
    """The leases of running jobs end now. A reaper decides what becomes of them."""
    store = store_for(model)
    where = {**_as_seen(keys, seen_at), "state": State.RUNNING}
    return store.change_many(where, {"locked_at": expired(store)})


def move_several(
    model: type[AbstractJob],
    keys: Keys,
    seen_at: dt.datetime | None,
    queue: str | None = None,
    priority: int | None = None,
) -> int:
    """Jobs that are not being executed get another queue, another priority, or both."""
    store = store_for(model)
    where = {**_as_seen(keys, seen_at), "state__in": [*WAITING, *FINISHED]}
    wanted = {"queue": queue, "priority": priority, "updated_at": store.now()}
    changes = {name: value for name, value in wanted.items() if value is not None}
    return store.change_many(where, changes)


def discard_several(
    model: type[AbstractJob],
    keys: Keys,
    seen_at: dt.datetime | None,
    states: Sequence[str],
    before: Callable[[list[Any]], object],
) -> int:
    """The rows are deleted; `before` is called with their keys."""
    before(list(keys))
    return store_for(model).delete_many({**_as_seen(keys, seen_at), "state__in": list(states)})


def _as_seen(keys: Keys, seen_at: dt.datetime | None) -> Mapping[str, Any]:
    return {"pk__in": list(keys), **unchanged_since(seen_at)}


def _due(run_at: dt.datetime | None, now: dt.datetime) -> dict[str, Any]:
    if run_at is None or run_at <= now:
        return {"state": State.READY, "run_at": now}
    return {"state": State.SCHEDULED, "run_at": run_at}
