"""Batch jobs that don't start: reported, with AWS Batch's own reason, and ended only at a deadline that somebody has set."""

from __future__ import annotations

import time
from typing import Any

from batchexec.conf import settings
from batchexec.handover.enter import Entering
from batchexec.handover.slot import Steps, logger
from jobs.conf.options import duration

NOT_STARTED = ("SUBMITTED", "PENDING", "RUNNABLE")


class Waiting:
    def __init__(self, steps: Steps, entering: Entering):
        self._steps = steps
        self._entering = entering
        self._since: float | None = None
        self._attempts = 0
        self._reported = False
        self._cancelled = False

    def look_at(self, detail: dict[str, Any]) -> None:
        if detail["status"] not in NOT_STARTED:
            self._since = None
            return
        if self._since is None or detail["attempts"] != self._attempts:
            self._since, self._attempts = time.monotonic() - self._waited_before(detail), detail["attempts"]
        waited = time.monotonic() - self._since
        reason = str(detail.get("statusReason") or "no reason given")
        if not self._reported and waited >= settings.RUNNABLE_REPORT_AFTER:
            self._reported = True
            text = "Job %s has been %s in Batch for %.0f s: %s"
            logger.warning(text, self._steps.job, detail["status"], waited, reason, extra=self._steps.label)
        if not self._cancelled and (deadline := self._deadline()) and waited >= deadline:
            self._cancelled = True
            text = f"It did not start within {deadline:g} s: {reason}"
            self._steps.ask_batch(lambda: self._steps.client.cancel(detail["jobId"], text))

    def _waited_before(self, detail: dict[str, Any]) -> float:
        """Seconds since the submission; none where an attempt has been running before, as if it waited since it is seen to."""
        if detail["attempts"] or "createdAt" not in detail:
            return 0.0
        return max(0.0, self._steps.now().timestamp() - detail["createdAt"] / 1000)

    def _deadline(self) -> float:
        own = self._entering.wishes.start_within
        return float(settings.RUNNABLE_DEADLINE) if own is None else duration(own)
