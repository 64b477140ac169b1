"""Markers that nobody watches any more: the job's execution ended, or was given up, while no worker was there."""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import TYPE_CHECKING

from batchexec import markers
from batchexec.aws.client import BatchClient
from batchexec.conf import settings
from batchexec.models import BatchJob
from jobs.conf import settings as jobs_settings
from jobs.models import State
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

#: Longest time between two sweeps of one worker, in seconds, and the markers looked at in one.
INTERVAL = 30.0
BATCH = 1000

TERMINAL = ("SUCCEEDED", "FAILED")


class Sweeper:
    def __init__(self, client: BatchClient):
        self._client = client
        self._swept_at: float | None = None

    def sweep_if_due(self, model: type[AbstractJob]) -> None:
        interval = min(INTERVAL, jobs_settings.LEASE)
        if self._swept_at is not None and time.monotonic() - self._swept_at < interval:
            return
        self._swept_at = time.monotonic()
        try:
            self.sweep(model)
        except Exception as error:
            logger.warning("Markers could not be swept: %s", error)

    def sweep(self, model: type[AbstractJob]) -> int:
        """Clears markers whose job is gone or has another epoch, once the Batch job of a cancelled one is over.

        Returns how many were cleared. A marker that was touched within the lease is its watcher's business.
        """
        store = store_for(BatchJob)
        cutoff = store.now() - dt.timedelta(seconds=jobs_settings.LEASE)
        found = store.find({"updated_at__lt": cutoff}, limit=BATCH)
        rows = {str(job.pk): job for job in _jobs_of(model, found)}
        return sum(self._settle(marker, rows.get(marker.job_id)) for marker in found)

    def _settle(self, marker: BatchJob, job: AbstractJob | None) -> bool:
        if job is not None and job.epoch == marker.epoch:
            return False
        if job is not None and job.state == State.CANCELLED and not self.ended_after_cancel(marker):
            return False
        if markers.clear(marker):
            logger.info("The marker of %s was cleared: its execution is over.", marker)
            return True
        return False

    def ended_after_cancel(self, marker: BatchJob) -> bool:
        """Has the Batch job of a cancelled job terminated; True once it is over, or isn't known, or is to be left alone."""
        if not settings.TERMINATE_ON_CANCEL:
            return True
        ids = (
            [marker.batch_job_id]
            if marker.batch_job_id
            else [summary["jobId"] for summary in self._client.find(marker.job_queue, marker.job_name)]
        )
        alive = [detail for detail in self._client.describe(ids).values() if detail["status"] not in TERMINAL] if ids else []
        for detail in alive:
            self._client.terminate(detail["jobId"], "The job was cancelled.")
        return not alive


def _jobs_of(model: type[AbstractJob], found: list[BatchJob]) -> list[AbstractJob]:
    store = store_for(model)
    ids = [pk for marker in found if (pk := store.id_of(marker.job_id)) is not None]
    return store.find({"pk__in": ids}, limit=len(ids)) if ids else []
