"""Signals that the queue sends."""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import Signal

logger = logging.getLogger(__name__)

#: Sent before a job is stored, with `job`. A receiver that raises refuses the job, and
#: the error reaches the caller.
enqueueing = Signal(use_caching=True)

#: Sent when an outcome is recorded, with `job` as it is then, by the process that
#: recorded it. A receiver that raises changes nothing, and is logged. It has no time
#: limit, so let it be quick.
job_succeeded = Signal(use_caching=True)
#: A failed attempt, with others to come; with `error`, too.
job_rescheduled = Signal(use_caching=True)
#: Failed for good; with `error`, too.
job_failed = Signal(use_caching=True)


def tell(signal: Signal, job: Any, **more: Any) -> None:
    """Sends a signal about an outcome. Raises nothing."""
    try:
        if signal.has_listeners(type(job)):
            for receiver, raised in signal.send_robust(sender=type(job), job=job, **more):
                if isinstance(raised, Exception):
                    text = "The receiver %r of a signal about job %s raised %s"
                    logger.error(text, receiver, job, type(raised).__name__, exc_info=raised)
    except BaseException:  # such as SystemExit
        logger.exception("A receiver of a signal about job %s raised:", job)
