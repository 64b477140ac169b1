"""A job that could not be interrupted at its time limit, whose process is about to be
ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.exceptions import WorkerTimeout
from jobs.execution.outcomes import Recorder
from jobs.lifecycle import Lifecycle
from jobs.logs import about_the_job, get_logger
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.process.holds import Hold

logger = get_logger(__name__)


def record(hold: Hold) -> None:
    """Records its failed attempt, if the execution still is what `hold` says. Never
    raises.
    """
    try:
        job = store_for(hold.model).get(hold.pk)
        if job is not None and job.runner == hold.where["runner"]:
            error = WorkerTimeout(
                "execution expired, and the job could not be interrupted: its process was ended"
            )
            with about_the_job(job):
                Recorder(job.locked_by or job.runner, Lifecycle([])).failed(job, error)
    except Exception as error:
        text, extra = "The attempt of job %s could not be recorded: %s", {"job_id": str(hold.pk)}
        logger.warning(text, hold.pk, error, extra=extra)
