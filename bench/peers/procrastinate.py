"""procrastinate, as its app for Django has it."""

from __future__ import annotations

import time
from typing import Any

SETTINGS: dict[str, Any] = {
    "INSTALLED_APPS": ["procrastinate.contrib.django"],
    "PROCRASTINATE_IMPORT_PATHS": ["bench.peers.procrastinate_tasks"],
}
DONE = "succeeded"


def enqueue(number: int) -> None:
    from bench.peers.procrastinate_tasks import noop

    for _ in range(number):
        noop.defer()


def enqueue_many(number: int) -> None:
    from bench.peers.procrastinate_tasks import noop

    noop.batch_defer(*[{}] * number)


def enqueue_note(path: str) -> None:
    from bench.peers.procrastinate_tasks import note

    note.defer(path=path)


def drain(number: int) -> float:
    from procrastinate.contrib.django import app

    with app.replace_connector(app.connector.get_worker_connector()) as for_worker:
        began = time.perf_counter()
        for_worker.run_worker(wait=False)
        return time.perf_counter() - began


def finished() -> int:
    return int(_jobs().filter(status=DONE).count())


def unfinished() -> int:
    return int(_jobs().exclude(status=DONE).count())


def forget() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs CASCADE")


def _jobs() -> Any:
    from procrastinate.contrib.django.models import ProcrastinateJob

    return ProcrastinateJob.objects.all()
