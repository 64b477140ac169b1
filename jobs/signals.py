"""Signals that the queue sends."""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

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


def is_heard(signal: Signal, sender: Any) -> bool:
    """Whether anybody waits for that signal of the sender: mostly nobody, for any."""
    return bool(signal.receivers) and bool(signal.has_listeners(sender))
