"""A job that could not be interrupted at its time limit: its attempt is recorded for it, and its process is ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.exceptions import WorkerTimeout
from jobs.execution import outcomes
from jobs.store import store_for
from jobs.worker import Worker

if TYPE_CHECKING:
    from jobs.process.leases import Hold


def record(hold: Hold) -> None:
    """Records a failed attempt, on condition that the execution still is what `hold` says. Never raises."""
    try:
        job = store_for(hold.model).get(hold.pk)
        if job is not None and job.runner == hold.where["runner"]:
            error = WorkerTimeout("execution expired, and the job could not be interrupted: its process was ended")
            outcomes.failed(Worker(name=job.locked_by or job.runner, plugins=[]), job, error)
    except Exception as error:
        outcomes.logger.warning("The attempt of job %s could not be recorded: %s", hold.pk, error)
