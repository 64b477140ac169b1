"""The progress of one execution, on its way from the job's code to the heartbeat."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from jobs.logs import get_logger
from jobs.process.bulletin import MAX_MESSAGE, PROGRESS_INTERVAL, Report
from jobs.records import job_key
from jobs.text import one_line

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)


class Reporter:
    """Passes on what the job tells, at most once a second, and at once what ends it."""

    def __init__(self, job: AbstractJob, send: Callable[[Report], None]):
        self._job = job
        self._send = send
        self._key, self._epoch = job_key(job), job.epoch
        # A forked child has a copy of what is still to be sent, and of locks that other
        # threads held.
        self._process = os.getpid()
        self._next = -math.inf
        self._last: Report | None = None

    def __call__(self, done: float, total: float | None, message: str) -> None:
        now = time.monotonic()
        if now < self._next and (total is None or done < total):
            return
        if os.getpid() != self._process:
            return
        report = Report(self._key, self._epoch, done, total, one_line(message[:MAX_MESSAGE]))
        if report == self._last:
            return
        self._job.has_reported = True
        self._next, self._last = now + PROGRESS_INTERVAL, report
        try:
            self._send(report)
        except Exception as error:
            logger.warning("Progress can't be told: %s", error)
