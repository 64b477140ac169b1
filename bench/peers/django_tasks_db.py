"""django-tasks-db: the database backend of Django's tasks."""

from __future__ import annotations

import time
from typing import Any

SETTINGS: dict[str, Any] = {
    "INSTALLED_APPS": ["django_tasks", "django_tasks_db"],
    "TASKS": {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
}


def enqueue(number: int) -> None:
    from bench.peers.tasks import noop

    for _ in range(number):
        noop.enqueue()


def enqueue_note(path: str) -> None:
    from bench.peers.tasks import note

    note.enqueue(path)


def drain(number: int) -> float:
    from django_tasks_db.management.commands.db_worker import Worker

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
    return time.perf_counter() - began


def finished() -> int:
    return int(_results().filter(status="SUCCESSFUL").count())


def unfinished() -> int:
    return int(_results().exclude(status="SUCCESSFUL").count())


def forget() -> None:
    _results().delete()


def _results() -> Any:
    from django_tasks_db.models import DBTaskResult

    return DBTaskResult.objects.all()
