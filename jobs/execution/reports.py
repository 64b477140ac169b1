"""Telling others of failed attempts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobs.lifecycle import Plugin

if TYPE_CHECKING:
    from jobs.models import AbstractJob


class ErrorReports(Plugin):
    """The base of a plugin that tells Sentry and the like of failed attempts.

    It reports in the process that records the attempt: the container on AWS Batch, or
    the worker, if the job's process or container died. For a job that could only be
    ended with its process, that is the process that ended it: a new instance of each
    plugin of the setting PLUGINS is told there, has ten seconds, and must have sent
    what it sends when `report` returns. An outcome that was dropped is not reported.
    What `report` raises is logged, and harms nothing.
    """

    def report(self, job: AbstractJob, error: BaseException, *, last: bool) -> None:
        """An attempt failed by `error`, and that is recorded.

        `last`: the job failed for good. `error` has no traceback if it wasn't raised in
        this process.
        """
        raise NotImplementedError

    def around_error(self, worker: Any, job: AbstractJob, proceed: Callable[[], Any]) -> Any:
        job.__dict__.pop("_reported", None)
        recorded = proceed()
        if recorded and not job.__dict__.pop("_reported", False):
            self._report(job, last=False)
        return recorded

    def around_failure(self, worker: Any, job: AbstractJob, proceed: Callable[[], Any]) -> Any:
        recorded = proceed()
        if recorded:
            job.__dict__["_reported"] = True  # the event `error` is around this one
            self._report(job, last=True)
        return recorded

    def _report(self, job: AbstractJob, *, last: bool) -> None:
        if job._error is not None:
            self.report(job, job._error, last=last)
