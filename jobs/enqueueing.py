"""From a job object to a row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from operator import is_not, itemgetter
from typing import TYPE_CHECKING, Any, cast

from django.utils import timezone

from jobs import payloads
from jobs.conf import settings
from jobs.exceptions import KeyNotVisible
from jobs.execution.invoke import invoke
from jobs.instants import in_utc
from jobs.lifecycle import Lifecycle, instantiate
from jobs.models import MAX_NAME, Job
from jobs.signals import enqueueing
from jobs.states import State
from jobs.store import store_for
from jobs.text import storable

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Rows inserted in one round trip by `enqueue_many`.
BATCH_SIZE = 1_000
MAX_TEXT_FIELD = 255
MAX_PRIORITY = 2**31 - 1
#: How often the holder of a unique key is looked for that the database refuses.
LOOKS = 10
#: Columns that the queue fills itself, with what they are in a job that is enqueued.
UNTOUCHED: dict[str, Any] = {
    "handler": "",
    "signature": "",
    "state": State.READY,
    "attempts": 0,
    "locked_at": None,
    "locked_by": "",
    "epoch": 0,
    "handed_over": False,
    "runner": "",
    "heartbeat_at": None,
    "started_at": None,
    "failed_at": None,
    "finished_at": None,
    "last_error": "",
}
_untouched = itemgetter(*UNTOUCHED)
_options = itemgetter("queue", "priority", "unique_key", "name", "run_at")


def enqueue(
    payload: Any,
    *,
    run_at: dt.datetime | None = None,
    priority: int | None = None,
    queue: str | None = None,
    unique_key: str | None = None,
    model: type[AbstractJob] = Job,
    **fields: Any,
) -> AbstractJob:
    """Stores `payload`, a `Performable`, as a job that is due at `run_at`, by default
    now.

    `queue`, `priority` and `unique_key` default to the payload's own, then to the
    settings. `model` is the job class, `fields` are fields of your own on it. If the
    unique key is held already, you get the job that holds it, with
    `already_enqueued = True`. With DELAY_JOBS off, the job is performed at once and its
    exception reaches you.

    One insert, which joins your open transaction: a job that is rolled back was never
    enqueued.

    Raises TypeError for an object that isn't a job, can't be stored, or would come back
    different, and ValueError for an unsaved model instance, an option out of range, or
    a job that is larger than the database can hold.
    """
    options = {"run_at": run_at, "priority": priority, "queue": queue, "unique_key": unique_key}
    job = _build(payload, model, options, fields)
    return cast("AbstractJob", _lifecycle().run("enqueue", _enqueue_one, job))


def enqueue_many(
    payloads: Iterable[Any],
    *,
    run_at: dt.datetime | None = None,
    priority: int | None = None,
    queue: str | None = None,
    model: type[AbstractJob] = Job,
    **fields: Any,
) -> list[AbstractJob]:
    """Like `enqueue` for each of `payloads`, in order, with one insert per thousand.

    All are checked before any is stored.
    """
    options = {"run_at": run_at, "priority": priority, "queue": queue, "unique_key": None}
    jobs = [_build(payload, model, options, fields) for payload in payloads]
    lifecycle = _lifecycle()
    waiting = [job for job in jobs if lifecycle.run("enqueue", _delayed_or_performed, job)]
    replaced: dict[int, AbstractJob] = {}
    for start in range(0, len(waiting), BATCH_SIZE):
        for refused in store_for(model).insert(waiting[start : start + BATCH_SIZE]):
            replaced[id(refused)] = _holder_of_key(refused)
    return [replaced.get(id(job), job) for job in jobs]


def _build(
    payload: Any, model: type[AbstractJob], options: dict[str, Any], fields: dict[str, Any]
) -> AbstractJob:
    payloads.check(payload)
    if own := UNTOUCHED.keys() & fields.keys():
        raise TypeError(f"{', '.join(sorted(own))}: the queue fills that itself.")
    queue = options["queue"]
    if queue is None:
        queue = getattr(payload, "queue_name", None)
    if queue is None:
        queue = settings.DEFAULT_QUEUE_NAME
    priority = options["priority"]
    if priority is None:
        of_queue = settings.QUEUE_ATTRIBUTES.get(queue, {})
        priority = of_queue.get("priority", settings.DEFAULT_PRIORITY)
    key = options["unique_key"]
    if key is None:
        key = payloads.unique_key(payload)
    run_at = options["run_at"]
    job = model(
        queue=queue,
        priority=priority,
        unique_key=key,
        name=payloads.display_name(payload),
        run_at=timezone.now() if run_at is None else run_at,
        **fields,
    )
    job.being_enqueued = True
    job.__dict__["payload"] = payload
    _check_options(job)
    return job


def _check_options(job: AbstractJob) -> None:
    """Raises TypeError or ValueError for a value that the row can't hold as it is
    meant.
    """
    job.queue = _text("queue", job.queue)
    job.priority = _priority(job.priority)
    job.unique_key = None if job.unique_key is None else _text("unique_key", job.unique_key)
    job.name = storable(str(job.name))[:MAX_NAME]
    job.run_at = in_utc("run_at", job.run_at)
    job.__dict__["checked"] = _options(job.__dict__)


def _check_again(job: AbstractJob) -> None:
    """What hooks, receivers and plugins may have set is checked like an argument."""
    own = job.__dict__
    if any(map(is_not, own["checked"], _options(own))):
        _check_options(job)
    del own["checked"]
    payloads.check(job.payload)
    if _untouched(own) != tuple(UNTOUCHED.values()):
        touched = [name for name, value in UNTOUCHED.items() if own[name] != value]
        raise TypeError(f"{', '.join(touched)}: the queue fills that of a job itself.")


def _enqueue_one(job: AbstractJob) -> AbstractJob:
    if not _delayed_or_performed(job):
        return job
    return _holder_of_key(job) if store_for(type(job)).insert([job]) else job


def _delayed_or_performed(job: AbstractJob) -> bool:
    """Makes the row ready to be stored, and returns True.

    With DELAY_JOBS off, performs the job and returns False.
    """
    # Before the row is made, because the hook may change run_at, queue or priority, as
    # in Delayed Job.
    payloads.call_hook(job.payload, "enqueue", job)
    enqueueing.send(sender=type(job), job=job)
    _check_again(job)
    job.handler = payloads.dump(job.payload)
    job.signature = payloads.sign(job.handler)
    store_for(type(job)).check_size(job)
    delayed = settings.DELAY_JOBS
    if not (payloads.call_with_accepted(delayed, job) if callable(delayed) else delayed):
        _lifecycle().run("invoke_job", invoke, job)
        return False
    job.state = State.SCHEDULED if job.run_at > timezone.now() else State.READY
    job.being_enqueued = False
    return True


def _holder_of_key(job: AbstractJob) -> AbstractJob:
    """The job that holds the unique key of `job`; `job` itself if the key is free
    again.
    """
    store = store_for(type(job))
    for _ in range(LOOKS):
        holder = store.holder_of(cast("str", job.unique_key))
        if holder is not None:
            holder.already_enqueued = True
            return holder
        if not store.insert([job]):
            return job
    raise KeyNotVisible(
        f"The database refuses the unique key {job.unique_key!r}, but no job that holds "
        "it can be seen from this transaction. Begin the transaction again."
    )


def _lifecycle() -> Lifecycle:
    return _lifecycle_of(tuple(settings.PLUGINS))


@lru_cache(maxsize=8)
def _lifecycle_of(plugins: tuple[str, ...]) -> Lifecycle:
    return Lifecycle(instantiate(plugins))


def _priority(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"priority must be a whole number, not {value!r}.")
    if not -MAX_PRIORITY <= value <= MAX_PRIORITY:
        raise ValueError(
            f"priority must lie between -{MAX_PRIORITY} and {MAX_PRIORITY}, not be {value}."
        )
    return value


def _text(label: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{label} must be a string, not {value!r}.")
    if len(value) > MAX_TEXT_FIELD or storable(value) != value:
        raise ValueError(
            f"{label} must be at most {MAX_TEXT_FIELD} characters of valid text, without NUL."
        )
    return value
