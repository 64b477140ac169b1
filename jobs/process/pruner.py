"""What is kept for the person on call is deleted when it is old."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

from jobs.conf import settings
from jobs.process import chores
from jobs.records import Activity, FailedAttempt, Progress, WorkerRecord
from jobs.store import limits, store_for

if TYPE_CHECKING:
    from django.db import models

    from jobs.store.base import Store

#: What is old is looked for this often, in seconds.
INTERVAL = 600.0
#: For how many seconds a worker that gives no sign of life is shown.
SILENT = 86_400.0
#: For how many seconds the progress of an execution is kept that says nothing more.
UNCHANGED = 7 * 86_400.0
#: Rows of a table that are deleted at once.
AT_ONCE = 1_000


class Pruner(chores.Chore):
    """Deletes once in a while, the first time after a while."""

    def __init__(self) -> None:
        text = "What is old and kept for people can't be deleted, so it is tried later: %s"
        super().__init__(INTERVAL, time.monotonic() + INTERVAL, text)

    @property
    def _store(self) -> Store[Any]:
        return store_for(Activity)

    def _do(self) -> bool:
        return prune()


def prune() -> bool:
    """Deletes activity and attempts by the settings, and what nobody renews.

    No more than AT_ONCE rows of each; returns whether there may be more.
    """
    kept: list[tuple[type[models.Model], str, float]] = [
        (Activity, "minute", settings.KEEP_ACTIVITY_FOR),
        (FailedAttempt, "failed_at", settings.KEEP_ATTEMPTS_FOR),
        (Progress, "updated_at", UNCHANGED),
        (WorkerRecord, "seen_at", SILENT),
    ]
    most = 0
    for model, column, seconds in kept:
        store: Any = store_for(model)
        old = {f"{column}__lt": store.now() - dt.timedelta(seconds=seconds)}
        with limits.within(store, limits.PATIENCE):
            keys = store.ids(old, AT_ONCE)
            deleted = store.delete_many({**old, "pk__in": keys}) if keys else 0
        most = max(most, deleted)
    return most == AT_ONCE
