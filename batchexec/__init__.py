"""Execution of the queue's jobs on AWS Batch, by `jobworker --batch`.

A job class says what it asks of AWS Batch by its attribute `batch`, a `Resources`.
"""

from batchexec.neighbour import require_our_jobs

require_our_jobs()

from batchexec.resources import Resources  # noqa: E402

__all__ = ["Resources"]
