"""The statuses of a Batch job, in AWS Batch's words, and what follows from them."""

from __future__ import annotations

#: Waiting for a place to run.
NOT_STARTED = ("SUBMITTED", "PENDING", "RUNNABLE")
#: Over: no other status follows.
TERMINAL = ("SUCCEEDED", "FAILED")
#: Of several Batch jobs of one epoch, the first in this order is adopted: it has come
#: furthest.
PROGRESS = ("RUNNING", "STARTING", "SUCCEEDED", "RUNNABLE", "PENDING", "SUBMITTED", "FAILED")
