"""What is measured inside one process.

`python -m bench.measures NAME OPTIONS` calls the function NAME with the OPTIONS, a JSON
object, and prints what it returns as a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median_high
from typing import Any

import django


def drain(subject: str, jobs_number: int, enqueue: bool = True) -> dict[str, Any]:
    """Jobs per second, from the first claim to the last record.

    The subject `bare` is the driver alone; any other is one worker process.
    """
    import jobs
    from bench import bare
    from bench.noop import NoOp
    from jobs.process.keeper import heartbeat

    # The worker comes first, because its keeper is forked before there is a connection.
    worker = None if subject == "bare" else jobs.Worker(heartbeat=heartbeat())
    if enqueue:
        jobs.enqueue_many([NoOp() for _ in range(jobs_number)])
    if worker is None:
        return _timed(jobs_number, partial(bare.drain, bare.connect(), jobs_number))
    return _timed(jobs_number, lambda: sum(worker.work_off(jobs_number)))


def enqueue(subject: str, jobs_number: int) -> dict[str, Any]:
    """Jobs per second, enqueued or inserted by the driver, one by one or together.

    One by one: `jobs` and `bare`. Together: `many`, `lazy` (without the jobs in return)
    and `bulk`.
    """
    import jobs
    from bench import bare
    from bench.noop import NoOp
    from jobs.models import Job
    from jobs.store import store_for

    store = store_for(Job)
    store.now()

    def one_by_one() -> int:
        for _ in range(jobs_number):
            jobs.enqueue(NoOp())
        return jobs_number

    def together() -> int:
        return len(jobs.enqueue_many([NoOp() for _ in range(jobs_number)]))

    def lazily() -> int:
        return jobs.enqueue_many((NoOp() for _ in range(jobs_number)), returning=False)

    driver = bare.connect()
    ways: dict[str, Callable[[], int]] = {
        "jobs": one_by_one,
        "bare": partial(bare.enqueue, driver, jobs_number),
        "many": together,
        "lazy": lazily,
        "bulk": partial(bare.enqueue_many, driver, jobs_number),
    }
    found = _timed(jobs_number, ways[subject])
    store.delete_many({})
    return found


def emptied(jobs_number: int) -> dict[str, Any]:
    """Jobs per second that workers perform, which run and are idle: on PostgreSQL."""
    from django.db import connection

    import jobs
    from bench import backlog
    from bench.noop import NoOp

    def unfinished() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM jobs_job /* bench */")
            return int(cursor.fetchone()[0])

    def enqueue(number: int) -> None:
        jobs.enqueue_many((NoOp() for _ in range(number)), returning=False)

    return backlog.emptied(enqueue, unfinished, jobs_number)


def heard(number: int, seconds: float) -> dict[str, Any]:
    """Waits until that many sessions of PostgreSQL listen, and for their first look."""
    from django.db import connection

    from bench import processes

    def found() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(DISTINCT pid) FROM pg_stat_activity LEFT JOIN pg_locks USING (pid) "
                "WHERE datname = current_database() "
                "AND (query LIKE 'LISTEN%' OR locktype = 'advisory')"
            )
            return bool(cursor.fetchone()[0] >= number)

    taken = processes.wait_until(found, seconds)
    time.sleep(1)
    return {"seconds": taken}


def logged() -> dict[str, Any]:
    """From now on PostgreSQL logs the statements of new sessions on this database."""
    from django.db import connection

    with connection.cursor() as cursor:
        name = connection.ops.quote_name(connection.settings_dict["NAME"])
        cursor.execute(f"ALTER DATABASE {name} SET log_statement = 'all'")
    return {}


def iterated(number: int) -> dict[str, Any]:
    """The most memory in MB before and after `number` jobs come from an iterator."""
    import resource

    import jobs
    from bench.noop import NoOp

    def megabytes() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def enqueue(number: int) -> int:
        return jobs.enqueue_many((NoOp() for _ in range(number)), returning=False)

    enqueue(5000)  # whatever is loaded once
    before = megabytes()
    found = _timed(number, partial(enqueue, number))
    return {"before": before, "after": megabytes(), "number": number, **found}


def steps(path: str, number: int) -> dict[str, Any]:
    """Seconds of each step of `number` jobs on AWS Batch, one after the other."""
    from bench import on_batch

    return {"steps": on_batch.steps(path, number)}


def pick_up(path: str, number: int, seed: int, subject: str = "jobs") -> dict[str, Any]:
    """Seconds that each of `number` jobs waited for an idle worker.

    The subject `bare` is the driver alone, whose worker is `bench.waiting`.
    """
    import jobs
    from bench import bare, latency
    from bench.noop import NoteTime

    driver = bare.connect()

    def enqueue(path: str) -> None:
        if subject == "bare":
            driver.insert()
        else:
            jobs.enqueue(NoteTime(path))

    return latency.pick_up(enqueue, path, number, seed)


def fill(state: str, number: int) -> dict[str, Any]:
    """Adds `number` jobs in that state."""
    from bench import rows

    rows.fill(state, number)
    return {}


def others(repeat: int) -> dict[str, Any]:
    """Seconds that promotion, reaping, pruning, counting and a list take.

    Each is called `repeat` times; the median is returned.
    """
    import datetime as dt

    import jobs
    from jobs.operator import actions, reports
    from jobs.operator.filters import Filter
    from jobs.process.reaper import Reaper

    worker = jobs.Worker()
    reaper = Reaper(worker.model, worker.recorder)
    steps: dict[str, Callable[[], Any]] = {
        "promotion": reaper.promote,
        "reaping": reaper.reap,
        "pruning": lambda: actions.prune(dt.timedelta(days=1)),
        "stats": reports.stats,
        "list": lambda: reports.listed(Filter(), 50),
        "list of failed": lambda: reports.listed(Filter(state="failed"), 50),
    }
    found = {}
    for name, step in steps.items():
        step()  # the first call also pays for connecting and compiling
        found[name] = median_high(_seconds(step) for _ in range(repeat))
    return found


def on_call_table(number: int) -> dict[str, Any]:
    """Adds `number` jobs in different states, and a day of activity."""
    from bench import on_call_rows

    on_call_rows.fill(number)
    return {}


def on_call_pages() -> dict[str, Any]:
    """Of each page of the admin, milliseconds of each look and how many statements."""
    from bench import on_call

    return on_call.pages()


def on_call_actions() -> dict[str, Any]:
    """Of each action on all that match, seconds and how many jobs."""
    from bench import on_call

    return on_call.actions()


def enqueued() -> dict[str, Any]:
    """Enqueues one job and returns its id."""
    import jobs
    from bench.noop import NoOp

    return {"ids": [str(jobs.enqueue(NoOp()).pk)]}


def many(number: int) -> dict[str, Any]:
    """Enqueues `number` jobs."""
    import jobs
    from bench.noop import NoOp

    return {"number": len(jobs.enqueue_many([NoOp() for _ in range(number)]))}


def freed(number: int) -> dict[str, Any]:
    """Seconds from the outcome of each of `number` jobs to its free slot."""
    from bench import following

    return {"seconds": following.freed(number)}


def hour(number: int) -> dict[str, Any]:
    """DescribeJobs calls for `number` jobs in a simulated hour, before and after rows
    were asked.
    """
    from bench import following

    before = following.calls_in_an_hour(number, following.POLL)
    return {"calls_before": before, "calls": following.calls_in_an_hour(number, 60.0)}


def count(since: float = 0.0) -> dict[str, Any]:
    """How many jobs are submitted, and how many a worker has claimed since.

    `since` is a time of time.time().
    """
    import datetime as dt

    from batchexec.models import BatchJob
    from jobs.models import Job, State

    instant = dt.datetime.fromtimestamp(since, dt.timezone.utc)
    submitted = BatchJob.objects.filter(state=BatchJob.State.SUBMITTED)
    watched = Job.objects.filter(state=State.RUNNING, locked_at__gte=instant)
    return {"submitted": submitted.count(), "watched": watched.count()}


def _timed(expected: int, function: Callable[[], int]) -> dict[str, Any]:
    cpu, began = time.process_time(), time.perf_counter()
    done = function()
    seconds = time.perf_counter() - began
    if done != expected:
        raise SystemExit(f"{done} jobs instead of {expected}")
    cpu = time.process_time() - cpu
    return {"per_second": done / seconds, "cpu_seconds_per_job": cpu / done}


def _seconds(step: Callable[[], Any]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


if __name__ == "__main__":
    django.setup()
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
