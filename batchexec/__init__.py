"""Has the jobs of the queue executed on AWS Batch. `jobworker --batch`, and `Resources` on a job class."""

from batchexec.resources import Resources

__all__ = ["Resources"]
