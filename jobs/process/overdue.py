"""A job that could not be interrupted at its time limit, whose process is about to be
ended.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from jobs.conf import settings
from jobs.exceptions import WorkerTimeout
from jobs.execution.outcomes import Recorder
from jobs.execution.reports import ErrorReports
from jobs.lifecycle import Lifecycle, instantiate
from jobs.logs import about_the_job, get_logger
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.process.holds import Hold

logger = get_logger(__name__)

#: Seconds that a reporter may take, in whole ones. The process ends afterwards anyway.
REPORTING = 10


class Reports(ErrorReports):
    """Has the reporters of the setting told, and no other plugin: those are the
    worker's, which is gone.
    """

    def report(self, job: AbstractJob, error: BaseException, *, last: bool) -> None:
        for plugin in instantiate(settings.PLUGINS):
            if isinstance(plugin, ErrorReports):
                signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends what hangs, anywhere
                signal.alarm(REPORTING)
                try:
                    plugin.report(job, error, last=last)
                except BaseException as raised:
                    text = "%s raised while it was told of job %s:"
                    logger.error(text, type(plugin).__name__, job, exc_info=raised)
                finally:
                    signal.alarm(0)


def record(hold: Hold) -> None:
    """Records its failed attempt, if the execution still is what `hold` says, and
    reports it. Never raises.
    """
    try:
        job = store_for(hold.model).get(hold.pk)
        if job is not None and job.runner == hold.where["runner"]:
            error = WorkerTimeout(
                "execution expired, and the job could not be interrupted: its process was ended"
            )
            with about_the_job(job):
                Recorder(job.locked_by or job.runner, Lifecycle([Reports()])).failed(job, error)
    except Exception as error:
        text, extra = "The attempt of job %s could not be recorded: %s", {"job_id": str(hold.pk)}
        logger.warning(text, hold.pk, error, extra=extra)
