"""The statuses of a Batch job, in AWS Batch's words, and what follows from them."""

from __future__ import annotations

#: Waiting for a place to run.
NOT_STARTED = ("SUBMITTED", "PENDING", "RUNNABLE")
#: Over: no other status follows.
TERMINAL = ("SUCCEEDED", "FAILED")
#: Of several Batch jobs of one epoch, the one that has come furthest is adopted.
PROGRESS = ("RUNNING", "STARTING", "SUCCEEDED", "RUNNABLE", "PENDING", "SUBMITTED", "FAILED")
