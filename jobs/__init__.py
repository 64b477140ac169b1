"""Delayed jobs in the database of a Django project: `jobs.enqueue`, `jobs.Worker`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from jobs.delayed import delay, handle_asynchronously
    from jobs.enqueueing import aenqueue, enqueue, enqueue_many
    from jobs.exceptions import DeserializationError, InvalidCallback, JobError, WorkerTimeout
    from jobs.lifecycle import Plugin
    from jobs.models import Job
    from jobs.operator.api import cancel, delete, move, reschedule, retry, unlock
    from jobs.operator.filters import BadFilter
    from jobs.payloads import Performable, progress, track
    from jobs.worker import Worker

# Loaded on first use: models can't be imported before Django's app registry is ready,
# and a process that only enqueues needs no worker.
_EXPORTS = {
    "BadFilter": "jobs.operator.filters",
    "DeserializationError": "jobs.exceptions",
    "InvalidCallback": "jobs.exceptions",
    "Job": "jobs.models",
    "JobError": "jobs.exceptions",
    "Performable": "jobs.payloads",
    "Plugin": "jobs.lifecycle",
    "Worker": "jobs.worker",
    "WorkerTimeout": "jobs.exceptions",
    "aenqueue": "jobs.enqueueing",
    "delay": "jobs.delayed",
    "enqueue": "jobs.enqueueing",
    "enqueue_many": "jobs.enqueueing",
    "handle_asynchronously": "jobs.delayed",
    "cancel": "jobs.operator.api",
    "delete": "jobs.operator.api",
    "move": "jobs.operator.api",
    "reschedule": "jobs.operator.api",
    "retry": "jobs.operator.api",
    "unlock": "jobs.operator.api",
    "progress": "jobs.payloads",
    "track": "jobs.payloads",
}

__all__ = [
    "BadFilter",
    "DeserializationError",
    "InvalidCallback",
    "Job",
    "JobError",
    "Performable",
    "Plugin",
    "Worker",
    "WorkerTimeout",
    "aenqueue",
    "cancel",
    "delay",
    "delete",
    "enqueue",
    "enqueue_many",
    "handle_asynchronously",
    "move",
    "progress",
    "reschedule",
    "retry",
    "track",
    "unlock",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'jobs' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_EXPORTS[name]), name)
    return found
