"""Finds the markers that nobody watches, and the traces that have grown old.

The job's execution ended, or was given up, while no worker was there.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Protocol

from batchexec import markers
from batchexec.executions import about_execution
from batchexec.models import BatchJob
from jobs.conf import settings as jobs_settings
from jobs.logs import get_logger
from jobs.store import store_for
from jobs.text import one_line

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: The longest time between two sweeps of one worker, in seconds.
INTERVAL = 30.0
#: How many markers one sweep looks at.
BATCH = 1000


class Clearing(Protocol):
    """What a sweep does with what it finds."""

    def clear(self, marker: BatchJob, row: AbstractJob | None) -> bool: ...

    def forget_old_traces(self) -> None: ...


class Sweeper:
    """Sweeps for one worker process."""

    def __init__(self, clearing: Clearing):
        self._clearing = clearing
        self._swept_at: float | None = None

    def sweep_if_due(self, model: type[AbstractJob]) -> None:
        """Sweeps if the last sweep is long enough ago. Never raises."""
        interval = min(INTERVAL, jobs_settings.LEASE)
        if self._swept_at is not None and time.monotonic() - self._swept_at < interval:
            return
        self._swept_at = time.monotonic()
        try:
            self.sweep(model)
            self._clearing.forget_old_traces()
        except Exception as error:
            logger.warning("Markers could not be swept: %s", one_line(error))

    def sweep(self, model: type[AbstractJob]) -> int:
        """Clears the markers whose job is gone or has another epoch; returns how many.

        A marker that was touched within the lease is its watcher's business.
        """
        store = store_for(BatchJob)
        cutoff = store.now() - dt.timedelta(seconds=jobs_settings.LEASE)
        found = store.find({"updated_at__lt": cutoff}, limit=BATCH)
        rows = markers.jobs_of(model, [marker.job_id for marker in found])
        return sum(
            self._cleared(marker, row)
            for marker in found
            if (row := rows.get(marker.job_id)) is None or row.epoch != marker.epoch
        )

    def _cleared(self, marker: BatchJob, row: AbstractJob | None) -> bool:
        """One marker that can't be cleared now keeps no other from that."""
        with about_execution(marker, row):
            try:
                return self._clearing.clear(marker, row)
            except Exception as error:
                if store_for(BatchJob).is_unavailable(error):
                    raise
                logger.warning("The marker of %s is not cleared yet: %s", marker, one_line(error))
                return False
