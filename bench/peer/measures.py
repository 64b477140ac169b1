"""The measures of `bench.measures`, for django-tasks-db.

`python -m bench.peer.measures NAME OPTIONS` is called in the same way.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import django


def drain(jobs_number: int) -> dict[str, Any]:
    """Tasks per second, from the first claim to the last record, by one worker."""
    from django_tasks_db.management.commands.db_worker import Worker
    from django_tasks_db.models import DBTaskResult

    enqueue(jobs_number, forget=False)
    worker = Worker(
        queue_names=["default"],
        interval=0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id="bench",
        excluded_queue_names=[],
    )
    began = time.perf_counter()
    worker.run()
    seconds = time.perf_counter() - began
    done = DBTaskResult.objects.filter(status="SUCCESSFUL").count()
    DBTaskResult.objects.all().delete()
    if done != jobs_number:
        raise SystemExit(f"{done} tasks instead of {jobs_number}")
    return {"per_second": done / seconds}


def enqueue(jobs_number: int, forget: bool = True) -> dict[str, Any]:
    """Tasks per second, enqueued one by one, and deleted afterwards with `forget`."""
    from django_tasks_db.models import DBTaskResult

    from bench.peer.tasks import noop

    began = time.perf_counter()
    for _ in range(jobs_number):
        noop.enqueue()
    seconds = time.perf_counter() - began
    if forget:
        DBTaskResult.objects.all().delete()
    return {"per_second": jobs_number / seconds}


def pick_up(path: str, number: int, seed: int) -> dict[str, Any]:
    """Seconds that each of `number` tasks waited for an idle worker."""
    from bench import latency
    from bench.peer.tasks import note_time

    return latency.pick_up(note_time.enqueue, path, number, seed)


def migrate() -> dict[str, Any]:
    """Makes the tables."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return {}


if __name__ == "__main__":
    django.setup()
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
