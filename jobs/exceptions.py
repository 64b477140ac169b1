from __future__ import annotations


class JobError(Exception):
    """Base of the queue's own errors."""


class DeserializationError(JobError):
    """What is stored of a job can't be made into a job object again. The job fails at once and for good."""


class InvalidCallback(JobError):
    """A plugin names a lifecycle event that doesn't exist, or a callback takes the wrong arguments."""


class Lost(JobError):
    """An execution died without recording an outcome; the text says what is known of it."""


class Interruption(BaseException):
    """Base of what is raised *into* a running job. Not an Exception, so that `except Exception` can't swallow it."""


class WorkerTimeout(Interruption):
    """The job ran longer than its `max_run_time`."""


class Terminated(Interruption):
    """The process was told to end (SIGTERM, SIGINT) while the job ran."""
