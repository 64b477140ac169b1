"""From a job object to a row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from asgiref.sync import sync_to_async

from jobs import commits
from jobs.exceptions import KeyNotVisible
from jobs.models import Job
from jobs.store import store_for
from jobs.terms import Terms

if TYPE_CHECKING:
    from jobs.models import AbstractJob

J = TypeVar("J", bound="AbstractJob")

#: Rows inserted in one round trip by `enqueue_many`.
BATCH_SIZE = 1_000
#: How often the holder of a unique key is looked for that the database refuses.
LOOKS = 10


@overload
def enqueue(
    payload: Any,
    *,
    run_at: dt.datetime | None = ...,
    priority: int | None = ...,
    queue: str | None = ...,
    unique_key: str | None = ...,
    on_commit: bool | None = ...,
    model: type[J],
    **fields: Any,
) -> J: ...


@overload
def enqueue(
    payload: Any,
    *,
    run_at: dt.datetime | None = ...,
    priority: int | None = ...,
    queue: str | None = ...,
    unique_key: str | None = ...,
    on_commit: bool | None = ...,
    **fields: Any,
) -> Job: ...


def enqueue(
    payload: Any,
    *,
    run_at: dt.datetime | None = None,
    priority: int | None = None,
    queue: str | None = None,
    unique_key: str | None = None,
    on_commit: bool | None = None,
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
    enqueued. With `on_commit=True`, the job is stored once your open transactions have
    been committed, on whichever databases; until then it has no key. None does that if
    you have a transaction open on others than the job's database, False never.

    Raises TypeError for an object that isn't a job, can't be stored, or would come back
    different, and ValueError for an unsaved model instance, an option out of range, or
    a job that is larger than the database can hold.
    """
    terms = Terms(model, fields, run_at, priority, queue, unique_key)
    store = terms.store
    awaited = commits.awaited(store.alias, on_commit)
    job = terms.job(payload)
    if awaited:
        [found] = _store_after(awaited, terms, [job])
        return cast("AbstractJob", found)

    def store_now(job: AbstractJob) -> AbstractJob:
        if not terms.is_delayed(job):
            return job
        return _holder_of_key(job) if store.insert([job]) else job

    return cast("AbstractJob", terms.lifecycle.run("enqueue", store_now, job))


@overload
async def aenqueue(
    payload: Any,
    *,
    run_at: dt.datetime | None = ...,
    priority: int | None = ...,
    queue: str | None = ...,
    unique_key: str | None = ...,
    on_commit: bool | None = ...,
    model: type[J],
    **fields: Any,
) -> J: ...


@overload
async def aenqueue(
    payload: Any,
    *,
    run_at: dt.datetime | None = ...,
    priority: int | None = ...,
    queue: str | None = ...,
    unique_key: str | None = ...,
    on_commit: bool | None = ...,
    **fields: Any,
) -> Job: ...


async def aenqueue(payload: Any, **options: Any) -> AbstractJob:
    """`enqueue` for asynchronous code, with the same options.

    It runs in the thread of the loop's synchronous calls, where Django has its
    connections, so a hook of the payload may use the ORM.
    """
    return cast("AbstractJob", await sync_to_async(enqueue)(payload, **options))


@overload
def enqueue_many(
    payloads: Iterable[Any],
    *,
    run_at: dt.datetime | None = ...,
    priority: int | None = ...,
    queue: str | None = ...,
    on_commit: bool | None = ...,
    model: type[AbstractJob] = ...,
    returning: Literal[True] = ...,
    **fields: Any,
) -> list[AbstractJob]: ...


@overload
def enqueue_many(
    payloads: Iterable[Any],
    *,
    run_at: dt.datetime | None = ...,
    priority: int | None = ...,
    queue: str | None = ...,
    on_commit: bool | None = ...,
    model: type[AbstractJob] = ...,
    returning: Literal[False],
    **fields: Any,
) -> int: ...


def enqueue_many(
    payloads: Iterable[Any],
    *,
    run_at: dt.datetime | None = None,
    priority: int | None = None,
    queue: str | None = None,
    on_commit: bool | None = None,
    model: type[AbstractJob] = Job,
    returning: bool = True,
    **fields: Any,
) -> list[AbstractJob] | int:
    """Like `enqueue` for each of `payloads`, in order, with one insert per thousand.

    Returns the jobs; all are checked before any is stored.

    With `returning=False`, returns how many were stored: not those whose key is held,
    nor those that were performed at once. Then no more than a thousand are in memory,
    so `payloads` may be an iterator of any length; each thousand is checked and stored
    before the next is asked for. If an error ends it, those before stay stored, unless
    you have a transaction open. Jobs that wait for a commit are all kept in memory, and
    counted as they are now.
    """
    terms = Terms(model, fields, run_at, priority, queue)
    if awaited := commits.awaited(terms.store.alias, on_commit):
        jobs = [job for batch in _batches(payloads) for job in terms.jobs(batch)]
        _store_after(awaited, terms, jobs)
        return jobs if returning else len(jobs)
    if not returning:
        return sum(_stored(terms, batch) for batch in _batches(payloads))
    batches = list(_batches(payloads))
    plain = list(map(terms.plainly, batches))
    if None in plain:
        return _stored_each(terms, batches)
    store = terms.store
    return [
        job
        for rows in plain
        if rows is not None
        for job in rows.jobs(store.insert_alike(rows.alike(), keys=True), store)
    ]


def _store_after(awaited: list[str], terms: Terms, jobs: list[AbstractJob]) -> list[Any]:
    """All but the insert happens now, so that who enqueues gets its errors, and that
    the jobs are stored as they are now. Returns what the event `enqueue` does.
    """
    delayed: list[AbstractJob] = []
    inline: list[AbstractJob] = []

    def prepare(job: AbstractJob) -> AbstractJob:
        (delayed if terms.is_made_to_wait(job) else inline).append(job)
        return job

    found = [terms.lifecycle.run("enqueue", prepare, job) for job in jobs]
    commits.after(awaited, partial(_store_committed, terms, delayed, inline))
    return found


def _store_committed(terms: Terms, delayed: list[AbstractJob], inline: list[AbstractJob]) -> None:
    """Jobs that hold a key already become what is stored, as `enqueue` returns it."""
    for batch in _batches(delayed):
        terms.begin_to_wait(batch)
        for refused in terms.store.insert(batch):
            held = _holder_of_key(refused)
            if held is not refused:
                refused.__dict__.clear()
                refused.__dict__.update(held.__dict__)
    for job in inline:
        terms.perform(job)


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH_SIZE)):
        yield batch


def _stored(terms: Terms, batch: list[Any]) -> int:
    """How many of them are: not those whose key is held or that were performed."""
    if (plain := terms.plainly(batch)) is not None:
        terms.store.insert_alike(plain.alike(), keys=False)
        return len(batch)
    waiting = terms.waiting(terms.jobs(batch))
    return len(waiting) - len(terms.store.insert(waiting, keys=False)) if waiting else 0


def _stored_each(terms: Terms, batches: list[list[Any]]) -> list[AbstractJob]:
    """As `enqueue` would store each, but together."""
    jobs = [job for batch in batches for job in terms.jobs(batch)]
    replaced: dict[int, AbstractJob] = {}
    for waiting in _batches(terms.waiting(jobs)):
        for refused in terms.store.insert(waiting):
            replaced[id(refused)] = _holder_of_key(refused)
    return [replaced.get(id(job), job) for job in jobs] if replaced else jobs


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
