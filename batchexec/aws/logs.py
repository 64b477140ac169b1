"""What a container has logged, as CloudWatch Logs has it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from batchexec.aws.answers import configuration_error
from batchexec.aws.boto import Config, boto3, exceptions
from batchexec.aws.client import BatchClient
from batchexec.aws.console import DEFAULT_LOG_GROUP
from jobs.exceptions import JobError

#: Lines that are read at most, and how long a call may take, in seconds. Source of the
#: first: GetLogEvents of CloudWatch Logs.
MOST_LINES = 10_000
TIMEOUT = 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NoLog(JobError):
    """There is nothing to be read, or it can't be; the text says why."""


def tail(batch_job_id: str, stream: str = "", lines: int = 100) -> list[str]:
    """The last lines that the newest attempt of a Batch job has logged.

    `stream` is the log stream that is known of it: for a Batch job that AWS Batch no
    longer knows. Raises NoLog.
    """
    try:
        group, newest = _place(batch_job_id) if batch_job_id else ("", "")
        stream = newest or stream
        if not stream:
            raise NoLog("It has no log stream yet: AWS Batch names one once a container starts.")
        reply = _client().get_log_events(
            logGroupName=group or DEFAULT_LOG_GROUP,
            logStreamName=stream,
            limit=min(max(lines, 1), MOST_LINES),
            startFromHead=False,
        )
    except NoLog:
        raise
    except exceptions.ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            raise NoLog(f"CloudWatch Logs has no stream {stream} (any more).") from error
        raise NoLog(configuration_error(error) or f"AWS refuses this: {error}") from error
    except (exceptions.BotoCoreError, JobError, OSError) as error:
        raise NoLog(f"AWS can't be asked: {error}") from error
    return [str(event.get("message", "")) for event in reply.get("events", [])]


def _place(batch_job_id: str) -> tuple[str, str]:
    """The group and the stream that AWS Batch says; empty texts if it says none."""
    detail: Mapping[str, Any] = BatchClient().describe_one(batch_job_id) or {}
    container = detail.get("container") or {}
    options = (container.get("logConfiguration") or {}).get("options") or {}
    return str(options.get("awslogs-group") or ""), str(container.get("logStreamName") or "")


def _client() -> Any:
    session = boto3.session.Session()
    region = os.environ.get("AWS_REGION") or session.region_name
    config = Config(
        retries={"total_max_attempts": 2, "mode": "standard"},
        connect_timeout=TIMEOUT,
        read_timeout=TIMEOUT,
    )
    return session.client("logs", config=config, region_name=region, endpoint_url=_endpoint())


def _endpoint() -> str | None:
    """The local AWS Batch has the logs, too; for any other, boto3's own variables
    count.
    """
    if os.environ.get("AWS_ENDPOINT_URL_LOGS") or os.environ.get("AWS_ENDPOINT_URL"):
        return None
    batch = os.environ.get("AWS_ENDPOINT_URL_BATCH") or ""
    return batch if urlsplit(batch).hostname in LOOPBACK else None
