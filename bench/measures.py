"""What is measured inside one process: `python -m bench.measures NAME OPTIONS` prints a line of JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import django


def drain(subject: str, jobs_number: int, enqueue: bool = True) -> dict[str, Any]:
    """Jobs per second, from the first claim to the last record, by one worker process or by the driver alone."""
    import jobs
    from bench import bare
    from bench.noop import NoOp
    from jobs.process.keeper import heartbeat

    # A worker's keeper is forked before there is a connection.
    worker = None if subject == "bare" else jobs.Worker(heartbeat=heartbeat())
    if enqueue:
        jobs.enqueue_many([NoOp() for _ in range(jobs_number)])
    if worker is None:
        begin = bare.connect()
        return _timed(jobs_number, lambda: bare.drain(begin, jobs_number))
    return _timed(jobs_number, lambda: sum(worker.work_off(jobs_number)))


def enqueue(subject: str, jobs_number: int) -> dict[str, Any]:
    """Jobs per second, each enqueued by itself, or by the thousand."""
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

    def by_the_driver() -> int:
        return bare.enqueue(connected, jobs_number)

    connected = bare.connect()
    found = _timed(jobs_number, {"jobs": one_by_one, "many": together, "bare": by_the_driver}[subject])
    store.delete_many({})
    return found


def pick_up(path: str, number: int, seed: int) -> dict[str, Any]:
    import jobs
    from bench import latency
    from bench.noop import NoteTime

    return latency.pick_up(lambda path: jobs.enqueue(NoteTime(path)), path, number, seed)


def fill(state: str, number: int) -> dict[str, Any]:
    from bench import rows

    rows.fill(state, number)
    return {}


def others(repeat: int) -> dict[str, Any]:
    """Seconds of what isn't a job's own: promotion, reaping, pruning, counting, a list."""
    import datetime as dt

    import jobs
    from jobs.operator import actions, reports
    from jobs.process.reaper import Reaper

    worker = jobs.Worker()
    reaper = Reaper(worker.model, worker.recorder)
    steps: dict[str, Callable[[], Any]] = {
        "promotion": reaper.promote,
        "reaping": reaper.reap,
        "pruning": lambda: actions.prune(dt.timedelta(days=1)),
        "stats": reports.stats,
        "list": lambda: reports.listed(limit=50),
        "list of failed": lambda: reports.listed("failed", limit=50),
    }
    found = {}
    for name, step in steps.items():
        step()
        times = []
        for _ in range(repeat):
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
        found[name] = sorted(times)[len(times) // 2]
    return found


def enqueued() -> dict[str, Any]:
    import jobs
    from bench.noop import NoOp

    return {"ids": [str(jobs.enqueue(NoOp()).pk)]}


def many(number: int) -> dict[str, Any]:
    import jobs
    from bench.noop import NoOp

    return {"number": len(jobs.enqueue_many([NoOp() for _ in range(number)]))}


def count(since: float = 0.0) -> dict[str, Any]:
    """How many jobs have been submitted, and how many a worker has claimed since, by time.time()."""
    import datetime as dt

    from batchexec.models import BatchJob
    from jobs.models import Job, State

    instant = dt.datetime.fromtimestamp(since, dt.timezone.utc)
    watched = Job.objects.filter(state=State.RUNNING, locked_at__gte=instant).count()
    return {"submitted": BatchJob.objects.filter(state=BatchJob.State.SUBMITTED).count(), "watched": watched}


def _timed(expected: int, function: Callable[[], int]) -> dict[str, Any]:
    cpu, began = time.process_time(), time.perf_counter()
    done = function()
    seconds = time.perf_counter() - began
    if done != expected:
        raise SystemExit(f"{done} jobs instead of {expected}")
    return {"per_second": done / seconds, "cpu_seconds_per_job": (time.process_time() - cpu) / done}


if __name__ == "__main__":
    django.setup()
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
