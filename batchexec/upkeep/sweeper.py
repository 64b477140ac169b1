"""Clears the markers that nobody watches.

Their job's execution ended, or was given up, while no worker was there.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import TYPE_CHECKING

from batchexec import markers
from batchexec.aws.cancelled import ended_after_cancel
from batchexec.models import BatchJob
from jobs.conf import settings as jobs_settings
from jobs.states import State
from jobs.store import store_for
from jobs.text import one_line

if TYPE_CHECKING:
    from batchexec.aws.client import BatchClient
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

#: The longest time between two sweeps of one worker, in seconds.
INTERVAL = 30.0
#: How many markers one sweep looks at.
BATCH = 1000


class Sweeper:
    """Sweeps for one worker process."""

    def __init__(self, client: BatchClient):
        self._client = client
        self._swept_at: float | None = None

    def sweep_if_due(self, model: type[AbstractJob]) -> None:
        """Sweeps if the last sweep is long enough ago. Never raises."""
        interval = min(INTERVAL, jobs_settings.LEASE)
        if self._swept_at is not None and time.monotonic() - self._swept_at < interval:
            return
        self._swept_at = time.monotonic()
        try:
            self.sweep(model)
        except Exception as error:
            logger.warning("Markers could not be swept: %s", one_line(error))

    def sweep(self, model: type[AbstractJob]) -> int:
        """Clears the markers whose job is gone or has another epoch; returns how many.

        The marker of a cancelled job stays until its Batch job is over. A marker that
        was touched within the lease is its watcher's business.
        """
        store = store_for(BatchJob)
        cutoff = store.now() - dt.timedelta(seconds=jobs_settings.LEASE)
        found = store.find({"updated_at__lt": cutoff}, limit=BATCH)
        rows = markers.jobs_of(model, [marker.job_id for marker in found])
        return sum(self._cleared(marker, rows.get(marker.job_id)) for marker in found)

    def _cleared(self, marker: BatchJob, job: AbstractJob | None) -> bool:
        if job is not None and job.epoch == marker.epoch:
            return False
        is_cancelled = job is not None and job.state == State.CANCELLED
        if is_cancelled and not ended_after_cancel(self._client, marker):
            return False
        if not markers.clear(marker):
            return False
        logger.info("The marker of %s was cleared: its execution is over.", marker)
        return True
