"""AWS Batch: submit, describe, find, terminate."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

try:
    import boto3
except ImportError as error:
    raise ImportError("AWS Batch needs boto3: pip install 'django-delayed-batch[batch]'.") from error

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

logger = logging.getLogger(__name__)

#: DescribeJobs takes so many ids a call. Source: AWS Batch API.
MOST_IDS = 100
#: Longest `reason` of TerminateJob and CancelJob, in characters. Source: AWS Batch API.
LONGEST_REASON = 1024

#: How long a reply is waited for, in seconds; a submission without one may have been accepted.
READ_TIMEOUT = 30

#: Connections kept open to AWS Batch by one client.
CONNECTIONS = 20

TOO_MANY = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "RequestThrottled"}


class NotConfigured(JobError):
    """Region, credentials, queue or definition are missing or wrong; the text says what to set."""


class NotAccepted(JobError):
    """AWS Batch did not take the submission. Worth another try later, at no cost to the job."""


class Throttled(NotAccepted):
    """AWS Batch did not take the submission, because there have been too many."""


class Rejected(JobError):
    """AWS Batch did not take the submission, and wouldn't take it later: something about this job is wrong."""


class Unknown(JobError):
    """Whether AWS Batch took the submission isn't known: look for it before anything is submitted again."""


class BatchClient:
    """Raises NotConfigured where boto3 finds no region. Clients are thread-safe; one is enough for a process."""

    def __init__(self) -> None:
        # SubmitJob has no idempotency token, and a retry by the SDK after a lost reply makes a second job.
        once, often = _config(tries=1), _config(tries=3)
        # boto3 itself reads AWS_DEFAULT_REGION alone; ECS, Batch and the other SDKs set AWS_REGION.
        try:
            region = os.environ.get("AWS_REGION") or boto3.session.Session().region_name
            if not region:
                raise NotConfigured("AWS Batch needs a region: set AWS_REGION.")
            self._once = boto3.client("batch", config=once, region_name=region)
            self._often = boto3.client("batch", config=often, region_name=region)
        except BotoCoreError as error:
            raise NotConfigured(f"boto3 can't be set up: {error}.") from error

    def submit(self, request: dict[str, Any]) -> str:
        """Submits once and returns the Batch job's id; raises NotAccepted, Rejected or Unknown."""
        try:
            return str(self._once.submit_job(**request)["jobId"])
        except ClientError as error:
            raise _submission_error(error) from error
        except (NoCredentialsError, EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, SSLError) as error:
            raise NotAccepted(f"AWS Batch was not reached: {error}") from error  # nothing was sent
        except ParamValidationError as error:
            raise Rejected(f"The submission isn't valid: {error}") from error
        except Exception as error:
            # A reset, a time-out, a reply that can't be read.
            raise Unknown(f"The reply to the submission was lost: {error}") from error

    def describe(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """JobDetail by id; ids that AWS Batch doesn't know are left out."""
        wanted = list(ids)
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), MOST_IDS):
            reply = self._often.describe_jobs(jobs=wanted[start : start + MOST_IDS])
            found.update({detail["jobId"]: detail for detail in reply["jobs"]})
        return found

    def find(self, queue: str, name: str) -> list[dict[str, Any]]:
        """Every job of that name in the queue, whatever its state."""
        return [summary for summary in self._list(queue, name) if summary["jobName"] == name]

    def find_all(self, queue: str, prefix: str) -> list[dict[str, Any]]:
        """Every job in the queue whose name begins so, whatever its state."""
        return list(self._list(queue, f"{prefix}*"))

    def _list(self, queue: str, name: str) -> Iterator[dict[str, Any]]:
        # One filter is all that ListJobs takes; with one it answers with jobs in every state.
        filters = [{"name": "JOB_NAME", "values": [name]}]
        for page in self._often.get_paginator("list_jobs").paginate(jobQueue=queue, filters=filters):
            yield from page["jobSummaryList"]

    def pinned_definition(self, name: str) -> str:
        """`name:revision`, of the latest active revision where none is given; NotConfigured where there is none."""
        if ":" in name:
            return name  # a revision or an ARN
        pages = self._often.get_paginator("describe_job_definitions").paginate(jobDefinitionName=name, status="ACTIVE")
        revisions = [definition["revision"] for page in pages for definition in page["jobDefinitions"]]
        if not revisions:
            raise NotConfigured(f"AWS Batch has no active job definition {name!r}: register it, or set BATCHEXEC_JOB_DEFINITION.")
        return f"{name}:{max(revisions)}"

    def check_queue(self, name: str) -> None:
        """NotConfigured where there is no such queue, or it takes no jobs."""
        queues = self._often.describe_job_queues(jobQueues=[name])["jobQueues"]
        if not queues:
            raise NotConfigured(f"AWS Batch has no job queue {name!r}: create it, or set BATCHEXEC_JOB_QUEUE.")
        if queues[0].get("state") == "DISABLED":
            raise NotConfigured(f"The job queue {name!r} is disabled: enable it, or set BATCHEXEC_JOB_QUEUE.")

    def terminate(self, batch_job_id: str, reason: str) -> None:
        """Asks AWS Batch to end the job, in whatever state; it is over when DescribeJobs says so."""
        self._often.terminate_job(jobId=batch_job_id, reason=reason[:LONGEST_REASON])

    def cancel(self, batch_job_id: str, reason: str) -> None:
        """Ends the job if it hasn't started; one that has is left alone."""
        self._often.cancel_job(jobId=batch_job_id, reason=reason[:LONGEST_REASON])


def _config(tries: int) -> Config:
    retries = {"total_max_attempts": tries, "mode": "standard"}
    return Config(retries=retries, connect_timeout=10, read_timeout=READ_TIMEOUT, max_pool_connections=CONNECTIONS)


def is_throttling(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    return _code(error) in TOO_MANY or _status(error) == 429


def configuration_error(error: Exception) -> str:
    """One sentence for an error of boto3's that means missing rights or credentials; empty for another."""
    if isinstance(error, NoCredentialsError):
        return "AWS credentials are missing: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role."
    if isinstance(error, ClientError) and _status(error) in (401, 403):
        return f"AWS refuses these credentials: {error}"
    return ""


def _submission_error(error: ClientError) -> JobError:
    if is_throttling(error):
        return Throttled(f"AWS Batch is throttling: {error}")
    if refused := configuration_error(error):
        return NotAccepted(refused)  # the credentials' fault, not the job's
    if 400 <= _status(error) < 500:
        return Rejected(f"AWS Batch refused the submission: {error}")
    return Unknown(f"AWS Batch failed while it took the submission: {error}")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
