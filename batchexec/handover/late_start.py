"""Batch jobs that don't start are reported with AWS Batch's own reason.

They are cancelled only at a deadline, if the job or the settings set one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from batchexec.conf import settings
from batchexec.handover.fallback import DID_NOT_START
from batchexec.statuses import NOT_STARTED
from jobs.conf.options import duration
from jobs.logs import get_logger
from jobs.text import one_line

if TYPE_CHECKING:
    from batchexec.handover.enter import Entry
    from batchexec.handover.slot import Slot

logger = get_logger(__name__)


class LateStart:
    """How long the Batch job of a slot has been waiting for its start."""

    def __init__(self, slot: Slot, entry: Entry):
        self._slot = slot
        self._entry = entry
        self._since: float | None = None
        self._attempts = 0
        self._reported = False
        self._cancelled = False

    def look_at(self, detail: dict[str, Any]) -> None:
        """Reports the Batch job, or cancels it, if it has waited for too long."""
        if detail["status"] not in NOT_STARTED:
            self._since = None
            return
        if self._since is None or detail["attempts"] != self._attempts:
            # Each attempt of AWS Batch's own has its wait, its report and its deadline.
            self._since = time.monotonic() - self._waited_before(detail)
            self._attempts = detail["attempts"]
            self._reported = self._cancelled = False
        waited = time.monotonic() - self._since
        reason = str(detail.get("statusReason") or "no reason given")
        if not self._reported and waited >= settings.RUNNABLE_REPORT_AFTER:
            self._reported = True
            self._report(detail["status"], waited, reason)
        if self._cancelled:
            return
        deadline = self._deadline()
        if deadline and waited >= deadline:
            self._cancelled = True
            text = f"{DID_NOT_START} {deadline:g} s: {reason}"
            self._slot.ask_batch(self._slot.client.cancel, detail["jobId"], text)

    def _report(self, status: str, waited: float, reason: str) -> None:
        message = "Job %s has been %s in Batch for %.0f s: %s"
        facts = (self._slot.job, status, waited, one_line(reason))
        logger.warning(message, *facts)

    def _waited_before(self, detail: dict[str, Any]) -> float:
        """Seconds since the submission, or since an earlier attempt ended.

        0 if AWS Batch doesn't say when: then the wait is counted from now.
        """
        began = detail["waits_since"]
        if not isinstance(began, (int, float)):
            return 0.0
        return max(0.0, self._slot.now().timestamp() - began / 1000)

    def _deadline(self) -> float:
        """How long the Batch job may wait, in seconds; 0 means for ever."""
        own = self._entry.wishes.start_within
        return float(settings.RUNNABLE_DEADLINE) if own is None else duration(own)
