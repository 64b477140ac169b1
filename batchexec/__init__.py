"""Execution of the queue's jobs on AWS Batch, by `jobworker --batch`.

A job class says what it asks of AWS Batch by its attribute `batch`, a `Resources`.
"""

from batchexec.resources import Resources

__all__ = ["Resources"]
