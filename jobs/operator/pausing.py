"""Pausing a queue, or a class of jobs, and going on with it."""

from __future__ import annotations

from jobs.conf import LONGEST_QUEUE_NAME
from jobs.models import Job
from jobs.records import Pause
from jobs.states import UNFINISHED
from jobs.store import store_for
from jobs.store.keyed import keyed_for
from jobs.text import one_line, storable

#: Pauses that are shown at most.
MOST = 10_000


def pause(*, queue: str | None = None, name: str | None = None, reason: str = "") -> bool:
    """From now on no worker begins a job of that queue, or of that name.

    Workers hear of it within five seconds. What is being executed goes on, and is taken
    over if its worker ends. Jobs are enqueued as ever. Returns False if it was paused
    already: then `reason` is not changed. Raises ValueError for a name that no job can
    have, TypeError unless you name one of the two.
    """
    row = _row(queue, name)
    row.since, row.reason = store_for(Pause).now(), storable(reason)[:LONGEST_QUEUE_NAME]
    was_paused = store_for(Pause).get(row.key) is not None
    keyed_for(Pause).insert_missing([row])
    return not was_paused


def resume(*, queue: str | None = None, name: str | None = None) -> bool:
    """Workers begin its jobs again, within five seconds. Returns False if it wasn't
    paused.
    """
    return store_for(Pause).delete(_row(queue, name).key, {})


def paused() -> list[Pause]:
    """What is paused, queues first."""
    found = store_for(Pause).find({}, MOST)
    return sorted(found, key=lambda one: (one.kind != Pause.Kind.QUEUE, one.value))


def doubt(*, queue: str | None = None, name: str | None = None) -> str:
    """A sentence if no unfinished job has that name, so that pausing it may be without
    effect; empty otherwise, and for a queue.
    """
    if name is None or store_for(Job).ids({"state__in": list(UNFINISHED), "name": name}, 1):
        return ""
    return (
        f"No unfinished job has the name {one_line(name)}: pausing goes by a job's name, as "
        "`jobs list` has it, and not by its class where display_name() says another."
    )


def _row(queue: str | None, name: str | None) -> Pause:
    if (queue is None) == (name is None):
        raise TypeError("Name a queue or a class of jobs, and not both.")
    kind = Pause.Kind.NAME if queue is None else Pause.Kind.QUEUE
    value = str(name if queue is None else queue)
    if not 1 <= len(value) <= LONGEST_QUEUE_NAME or storable(value) != value:
        raise ValueError(f"No job has the {kind.value} {value!a}.")
    return Pause(key=f"{kind.value}:{value}", kind=kind.value, value=value)
