"""What AWS's answers mean to a submission."""

from __future__ import annotations

from jobs.exceptions import JobError


class NotConfigured(JobError):
    """Region, credentials, queue or definition: something is missing or wrong.

    The fault is with the settings or the account, so jobs wait, at no cost.
    """


class NotAccepted(JobError):
    """AWS Batch did not take the submission now; try later, at no cost to the job."""


class Throttled(NotAccepted):
    """AWS Batch did not take the submission, because too many came at once."""


class NotReached(NotAccepted):
    """Nothing was sent to AWS: no credentials could be loaded, or nobody answers."""


class Refused(JobError):
    """AWS Batch refused the submission. Whose fault that is, the request tells."""


class Denied(Refused):
    """The worker's role has no right to make this submission."""


class Rejected(JobError):
    """AWS Batch will never take the submission: something about the job is wrong."""


class DeniedAsAll(Rejected):
    """AWS denies it as everything else: the attempt ends, and isn't counted."""


class Unknown(JobError):
    """AWS Batch may have taken the submission: look for it before you repeat it."""
