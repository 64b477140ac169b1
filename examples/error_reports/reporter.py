"""A plugin for JOBS["PLUGINS"] that reports failed attempts.

With `sentry-sdk`, `report` would be:

    with sentry_sdk.new_scope() as scope:
        scope.set_tag("job.name", job.name)
        scope.set_tag("job.queue", job.queue)
        scope.set_context("job", {"id": str(job.pk), "attempt": job.attempts})
        scope.level = "error" if last else "warning"
        sentry_sdk.capture_exception(error)
    sentry_sdk.flush(2)  # a container ends at once

Sentry also makes an event of each ERROR in the log. So that an attempt isn't reported
twice, call `sentry_sdk.integrations.logging.ignore_logger("jobs.execution.outcomes")`.
"""

from __future__ import annotations

from typing import Any

from jobs.plugins import ErrorReports


class Reporter(ErrorReports):
    def report(self, job: Any, error: BaseException, *, last: bool) -> None:
        how = "for good" if last else "and is tried again"
        print(f"{job.name} failed {how}: {error}")
