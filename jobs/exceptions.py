"""The queue's own errors, and what interrupts a running job."""

from __future__ import annotations


class JobError(Exception):
    """Base of the queue's own errors."""


class DeserializationError(JobError):
    """The stored job can't be made into a job object again.

    The job fails at once and for good.
    """


class InvalidCallback(JobError):
    """A plugin names an event that doesn't exist, or takes the wrong arguments."""


class Lost(JobError):
    """An execution died without recording an outcome; the text says what is known."""


class Interruption(BaseException):
    """Base of the exceptions that are raised *into* a running job.

    Not an Exception, so that the job's `except Exception` can't swallow it.
    """


class WorkerTimeout(Interruption):
    """The job ran longer than its `max_run_time`."""


class Terminated(Interruption):
    """The process was told to end (SIGTERM, SIGINT) while the job ran."""
