"""What a failed try adds to the result of a job that keeps one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs import results
from jobs.logs.error_text import path_of_class, traceback_of

if TYPE_CHECKING:
    from jobs.models import AbstractJob


def result_after(job: AbstractJob, error: BaseException) -> str | None:
    """The column `result` after the error; None for a job that keeps no result."""
    if not job.result:
        return None
    return results.after_failure(job, path_of_class(error), traceback_of(error))
