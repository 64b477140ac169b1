"""What a container has logged, as CloudWatch Logs has it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from batchexec.aws.answers import configuration_error
from batchexec.aws.boto import Config, boto3, exceptions
from batchexec.aws.client import BatchClient
from batchexec.aws.console import DEFAULT_LOG_GROUP
from jobs.exceptions import JobError
from jobs.operator.elsewhere import NoLog, NotYet

#: Lines that are read at most, and how long a call may take, in seconds. Source of the
#: first: GetLogEvents of CloudWatch Logs.
MOST_LINES = 10_000
TIMEOUT = 10
#: Pages that one look reads at most; the next one goes on from there.
MOST_PAGES = 20
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ContainerLog:
    """What the newest attempt of a Batch job logs.

    `stream` is the log stream that is known of it: for a Batch job that AWS Batch no
    longer knows.
    """

    def __init__(self, batch_job_id: str, stream: str = ""):
        self.name = batch_job_id or stream
        self._batch_job_id = batch_job_id
        self._known = stream
        #: The stream that is being read, and where it goes on.
        self._stream = self._position = ""

    def read(self, lines: int = 100) -> list[str]:
        """The last `lines`, and at later calls all that is new; of an attempt that
        began since, from its first line on. Raises NoLog.
        """
        try:
            return self._read(min(max(lines, 1), MOST_LINES))
        except NoLog:
            raise
        except exceptions.ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                stream = self._stream or self._known
                raise NoLog(f"CloudWatch Logs has no stream {stream}.") from error
            raise NoLog(configuration_error(error) or f"AWS refuses this: {error}") from error
        except (exceptions.BotoCoreError, JobError, OSError) as error:
            raise NoLog(f"AWS can't be asked: {error}") from error

    def _read(self, lines: int) -> list[str]:
        group, newest = self._place()
        stream = newest or self._known
        if not stream:
            raise NotYet("It has no log stream yet: AWS Batch names one once a container starts.")
        is_first = not self._stream
        if stream != self._stream:
            self._stream, self._position = stream, ""
        where = {"logGroupName": group or DEFAULT_LOG_GROUP, "logStreamName": stream}
        if is_first:
            reply = self._client.get_log_events(**where, limit=lines, startFromHead=False)
            self._position = str(reply.get("nextForwardToken") or "")
            return _messages(reply)
        found: list[str] = []
        for _ in range(MOST_PAGES):
            # The first and each later page; at the end, the position doesn't change.
            after = {"nextToken": self._position} if self._position else {}
            reply = self._client.get_log_events(**where, startFromHead=True, **after)
            before, self._position = self._position, str(reply.get("nextForwardToken") or "")
            found += _messages(reply)
            if self._position == before:
                break
        return found

    def _place(self) -> tuple[str, str]:
        """The group and the stream that AWS Batch says; empty texts if it says none."""
        if not self._batch_job_id:
            return "", ""
        detail: Mapping[str, Any] = self._batch.describe_one(self._batch_job_id) or {}
        container = detail.get("container") or {}
        options = (container.get("logConfiguration") or {}).get("options") or {}
        return str(options.get("awslogs-group") or ""), str(container.get("logStreamName") or "")

    @cached_property
    def _batch(self) -> BatchClient:
        return BatchClient()

    @cached_property
    def _client(self) -> Any:
        return _client()


def _messages(reply: Mapping[str, Any]) -> list[str]:
    return [str(event.get("message", "")) for event in reply.get("events", [])]


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
