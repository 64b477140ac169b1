"""What is kept for the person on call is deleted when it is old."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

from jobs.conf import settings
from jobs.records import Activity, FailedAttempt, Progress, WorkerRecord
from jobs.store import store_for

if TYPE_CHECKING:
    from django.db import models

#: What is old is looked for this often, in seconds.
INTERVAL = 600.0
#: For how many seconds a worker that gives no sign of life is shown.
SILENT = 86_400.0
#: For how many seconds the progress of an execution is kept that says nothing more.
UNCHANGED = 7 * 86_400.0


class Pruner:
    """Deletes once in a while, the first time after a while."""

    def __init__(self) -> None:
        self._next = time.monotonic() + INTERVAL

    def prune(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + INTERVAL
        prune()


def prune() -> None:
    """Deletes activity and attempts by the settings, and what nobody renews."""
    kept: list[tuple[type[models.Model], str, float]] = [
        (Activity, "minute", settings.KEEP_ACTIVITY_FOR),
        (FailedAttempt, "failed_at", settings.KEEP_ATTEMPTS_FOR),
        (Progress, "updated_at", UNCHANGED),
        (WorkerRecord, "seen_at", SILENT),
    ]
    for model, column, seconds in kept:
        store: Any = store_for(model)
        store.delete_many({f"{column}__lt": store.now() - dt.timedelta(seconds=seconds)})
