"""The calls to AWS Batch: submit, describe, find, terminate, cancel."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

try:
    import boto3
except ImportError as error:
    raise ImportError(
        "AWS Batch needs boto3: pip install 'django-delayed-batch[batch]'."
    ) from error

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    SSLError,
)

from jobs.exceptions import JobError

#: The most ids that one DescribeJobs takes. Source: AWS Batch API.
MOST_IDS = 100
#: Longest `reason` of TerminateJob and CancelJob, in characters. Source: AWS Batch API.
LONGEST_REASON = 1024

#: How long a call waits for its reply, in seconds. A submission without a reply may
#: have been accepted.
READ_TIMEOUT = 30
#: How long a connection may take to be made, in seconds.
CONNECT_TIMEOUT = 10

#: How many connections to AWS Batch a client keeps open.
CONNECTIONS = 20

#: AWS's codes for "too many calls".
TOO_MANY = {
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "RequestThrottled",
}
#: Errors that boto3 raises before it has sent anything.
NOTHING_SENT = (
    NoCredentialsError,
    EndpointConnectionError,
    ConnectTimeoutError,
    ProxyConnectionError,
    SSLError,
)


class NotConfigured(JobError):
    """Region, credentials, queue or definition: something is missing or wrong."""


class NotAccepted(JobError):
    """AWS Batch did not take the submission now; try later, at no cost to the job."""


class Throttled(NotAccepted):
    """AWS Batch did not take the submission, because too many came at once."""


class Rejected(JobError):
    """AWS Batch will never take the submission: something about the job is wrong."""


class Unknown(JobError):
    """AWS Batch may have taken the submission: look for it before you repeat it."""


class BatchClient:
    """AWS Batch through boto3. It is thread-safe, so a process needs only one.

    Raises NotConfigured if boto3 finds no region, or can't be set up.
    """

    def __init__(self) -> None:
        try:
            # ECS, Batch and other SDKs set AWS_REGION; boto3 reads AWS_DEFAULT_REGION.
            region = os.environ.get("AWS_REGION") or boto3.session.Session().region_name
            if not region:
                raise NotConfigured("AWS Batch needs a region: set AWS_REGION.")
            # SubmitJob has no idempotency token: a retry by the SDK after a lost reply
            # would make a second Batch job.
            self._once = boto3.client("batch", config=_config(tries=1), region_name=region)
            self._often = boto3.client("batch", config=_config(tries=3), region_name=region)
        except BotoCoreError as error:
            raise NotConfigured(f"boto3 can't be set up: {error}.") from error

    def submit(self, request: dict[str, Any]) -> str:
        """Submits once, and returns the id of the Batch job.

        Raises NotAccepted, Rejected, or Unknown if the job may have been submitted.
        """
        try:
            return str(self._once.submit_job(**request)["jobId"])
        except ClientError as error:
            raise _submission_error(error) from error
        except NOTHING_SENT as error:
            raise NotAccepted(f"AWS Batch was not reached: {error}") from error
        except ParamValidationError as error:
            raise Rejected(f"The submission isn't valid: {error}") from error
        except Exception as error:
            # The connection was reset, timed out, or the reply can't be read.
            raise Unknown(f"The reply to the submission was lost: {error}") from error

    def describe(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The JobDetail of each id, without those that AWS Batch doesn't know."""
        wanted = list(ids)
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), MOST_IDS):
            reply = self._often.describe_jobs(jobs=wanted[start : start + MOST_IDS])
            found.update({detail["jobId"]: detail for detail in reply["jobs"]})
        return found

    def find(self, queue: str, name: str) -> list[dict[str, Any]]:
        """Every Batch job of that name in the queue, whatever its status."""
        return [summary for summary in self._list(queue, name) if summary["jobName"] == name]

    def find_all(self, queue: str, prefix: str) -> list[dict[str, Any]]:
        """Every Batch job in the queue whose name begins so, whatever its status."""
        return list(self._list(queue, f"{prefix}*"))

    def _list(self, queue: str, name: str) -> Iterator[dict[str, Any]]:
        # ListJobs takes one filter; with one, it shows jobs of every status.
        filters = [{"name": "JOB_NAME", "values": [name]}]
        paginator = self._often.get_paginator("list_jobs")
        for page in paginator.paginate(jobQueue=queue, filters=filters):
            yield from page["jobSummaryList"]

    def pinned_definition(self, name: str) -> str:
        """`name:revision`: the revision that is given, or the latest active one.

        Raises NotConfigured if the definition has no active revision.
        """
        if ":" in name:
            return name  # a revision or an ARN
        paginator = self._often.get_paginator("describe_job_definitions")
        pages = paginator.paginate(jobDefinitionName=name, status="ACTIVE")
        revisions = [found["revision"] for page in pages for found in page["jobDefinitions"]]
        if not revisions:
            raise NotConfigured(
                f"AWS Batch has no active job definition {name!r}: "
                "register it, or set BATCHEXEC_JOB_DEFINITION."
            )
        return f"{name}:{max(revisions)}"

    def check_queue(self, name: str) -> None:
        """Raises NotConfigured if there is no such queue, or it takes no jobs."""
        queues = self._often.describe_job_queues(jobQueues=[name])["jobQueues"]
        if not queues:
            raise NotConfigured(
                f"AWS Batch has no job queue {name!r}: create it, or set BATCHEXEC_JOB_QUEUE."
            )
        if queues[0].get("state") == "DISABLED":
            raise NotConfigured(
                f"The job queue {name!r} is disabled: enable it, or set BATCHEXEC_JOB_QUEUE."
            )

    def terminate(self, batch_job_id: str, reason: str) -> None:
        """Asks AWS Batch to end the job; it is over when DescribeJobs says so."""
        self._often.terminate_job(jobId=batch_job_id, reason=reason[:LONGEST_REASON])

    def cancel(self, batch_job_id: str, reason: str) -> None:
        """Ends the job if it has not started; a started job is left alone."""
        self._often.cancel_job(jobId=batch_job_id, reason=reason[:LONGEST_REASON])


def _config(tries: int) -> Config:
    retries = {"total_max_attempts": tries, "mode": "standard"}
    return Config(
        retries=retries,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=CONNECTIONS,
    )


def is_throttling(error: Exception) -> bool:
    """Whether AWS refused the call because there were too many."""
    if not isinstance(error, ClientError):
        return False
    return _code(error) in TOO_MANY or _status(error) == 429


def configuration_error(error: Exception) -> str:
    """What to do about missing rights or credentials, in a sentence.

    Empty if the error of boto3's means something else.
    """
    if isinstance(error, NoCredentialsError):
        return (
            "AWS credentials are missing: set AWS_PROFILE, "
            "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role."
        )
    if isinstance(error, ClientError) and _status(error) in (401, 403):
        return f"AWS refuses these credentials: {error}"
    return ""


def _submission_error(error: ClientError) -> JobError:
    if is_throttling(error):
        return Throttled(f"AWS Batch is throttling: {error}")
    if refused := configuration_error(error):
        return NotAccepted(refused)  # the fault is with the credentials, not with the job
    if 400 <= _status(error) < 500:
        return Rejected(f"AWS Batch refused the submission: {error}")
    return Unknown(f"AWS Batch failed while it took the submission: {error}")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
