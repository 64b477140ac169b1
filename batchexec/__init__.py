"""Execution of the queue's jobs on AWS Batch, by `jobworker --batch`.

What a job asks of AWS Batch, it says by `Resources`, as the attribute `batch` of its
class.
"""

from batchexec.resources import Resources

__all__ = ["Resources"]
