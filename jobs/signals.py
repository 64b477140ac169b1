"""Signals that the queue sends."""

from django.dispatch import Signal

#: Sent before a job is stored, with `job`. A receiver that raises refuses the job, and
#: the error reaches the caller.
enqueueing = Signal(use_caching=True)
