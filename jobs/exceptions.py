"""The queue's own errors, and what interrupts a running job."""

from __future__ import annotations


class JobError(Exception):
    """Base of the queue's own errors."""


class DeserializationError(JobError):
    """The stored job can't be made into a job object again.

    It has no valid signature, isn't the JSON of a job, or names a row, a class or a
    field that doesn't exist. The job fails at once and for good.
    """


class NotKnownYet(DeserializationError):
    """The stored job names something that this process's code doesn't have.

    While the job is young that may be a deploy in progress, where a worker is older
    than the code that enqueued the job. Such a job is put back and costs no attempt.
    After DEPLOY_WINDOW it fails like any other that can't be loaded.
    """


class LoadingFailed(JobError):
    """Loading the job raised something that would have ended the process.

    A failed attempt like any other: the cause is the code's, not the row's.
    """


class KeyNotVisible(JobError):
    """The database refuses a unique key, but the job that holds it can't be seen.

    That happens in a transaction that reads from an older snapshot.
    """


class InvalidCallback(JobError):
    """A plugin names an event that doesn't exist, or takes the wrong arguments."""


class Lost(JobError):
    """An execution died without recording an outcome; the text says what is known."""


class Cancelled(JobError):
    """The error of a task that was cancelled: it is recorded, and never raised."""


class Interruption(BaseException):
    """Base of the exceptions that are raised *into* a running job.

    Not an Exception, so that the job's `except Exception` can't swallow it.
    """


class WorkerTimeout(Interruption):
    """The job ran longer than its `max_run_time`."""


class Terminated(Interruption):
    """The process was told to end (SIGTERM, SIGINT) while the job ran."""
