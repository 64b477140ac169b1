"""django-ox: another database backend of Django's tasks. It needs Python 3.12."""

from __future__ import annotations

import time
from typing import Any

from bench.peers.django_tasks_db import enqueue as enqueue
from bench.peers.django_tasks_db import enqueue_note as enqueue_note

SETTINGS: dict[str, Any] = {
    "INSTALLED_APPS": ["django_tasks", "django_ox"],
    "TASKS": {"default": {"BACKEND": "django_ox.backend.OxBackend"}},
}


def enqueue_many(number: int) -> None:
    from django_ox.bulk import enqueue_many

    from bench.peers.tasks import noop

    enqueue_many(noop, [((), {})] * number)


def drain(number: int) -> float:
    from django_ox.worker import Worker

    worker = Worker(batch=True)
    began = time.perf_counter()
    worker.run()
    return time.perf_counter() - began


def finished() -> int:
    return int(_tasks().filter(status="SUCCESSFUL").count())


def unfinished() -> int:
    return int(_tasks().exclude(status="SUCCESSFUL").count())


def forget() -> None:
    _tasks().delete()


def _tasks() -> Any:
    from django_ox.models import OxTask

    return OxTask.objects.all()
