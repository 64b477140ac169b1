"""The calls to AWS Batch."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from batchexec.aws import answers, calls, credentials
from batchexec.aws.boto import Config, boto3, exceptions
from batchexec.aws.errors import NotConfigured, Rejected
from jobs.runner import LONGEST_PLACE

#: The most ids that one DescribeJobs takes. Source: AWS Batch API.
MOST_IDS = 100
#: Of a Batch job's id, in characters: what markers and runners keep. AWS's have 36, and
#: a few more in an array.
LONGEST_ID = LONGEST_PLACE
#: Longest `reason` of TerminateJob and CancelJob, in characters. Source: AWS Batch API.
LONGEST_REASON = 1024

#: How long a call waits for its reply, in seconds. A submission without a reply may
#: have been accepted.
READ_TIMEOUT = 30
#: How long a connection may take to be made, in seconds.
CONNECT_TIMEOUT = 10

#: How many connections to AWS Batch a client keeps open.
CONNECTIONS = 20


class BatchClient:
    """AWS Batch through boto3. It is thread-safe, so a process needs only one.

    Raises NotConfigured if boto3 finds no region, or can't be set up. Each call raises
    NotConfigured if credentials can't be loaded, and else what boto3 raises.
    """

    def __init__(self) -> None:
        #: Per thread, whether the call that it is making has been sent.
        self._call = threading.local()
        try:
            session = boto3.session.Session()
            # ECS, Batch and other SDKs set AWS_REGION; boto3 reads AWS_DEFAULT_REGION.
            region = os.environ.get("AWS_REGION") or session.region_name
            if not region:
                raise NotConfigured("AWS Batch needs a region: set AWS_REGION.")
            # SubmitJob has no idempotency token: a retry by the SDK after a lost reply
            # would make a second Batch job.
            self._once = self._made(session, region, tries=1)
            self._often = self._made(session, region, tries=3)
        except (exceptions.BotoCoreError, OSError) as error:
            text = credentials.missing(error) or f"boto3 can't be set up: {error}"
            raise NotConfigured(f"{text.rstrip('.')}.") from error

    def _made(self, session: Any, region: str, tries: int) -> Any:
        config = Config(
            retries={"total_max_attempts": tries, "mode": "standard"},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            max_pool_connections=CONNECTIONS,
        )
        client = session.client("batch", config=config, region_name=region)
        client.meta.events.register("provide-client-params.batch", self._begins)
        client.meta.events.register("before-send.batch", self._is_sent)
        client.meta.events.register("response-received.batch", calls.count)
        return client

    def _begins(self, **event: Any) -> None:
        self._call.sent = False

    def _is_sent(self, **event: Any) -> None:
        self._call.sent = True

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Tells credentials that can't be loaded from what AWS Batch answers.

        Until a request is sent, boto3 only loads credentials and signs. Whatever it
        raises then, AWS Batch has heard nothing.
        """
        self._call.sent = False
        try:
            yield
        except exceptions.ParamValidationError:
            raise
        except Exception as error:
            text = "" if self._call.sent else credentials.missing(error)
            if text:
                raise answers.NothingSent(text) from error
            raise

    # Jobs

    def submit(self, request: dict[str, Any]) -> str:
        """Submits once, and returns the id of the Batch job.

        Raises NotAccepted, Refused, Rejected, or Unknown if the job may have been
        submitted.
        """
        try:
            with self._asking():
                batch_job_id = str(self._once.submit_job(**request)["jobId"])
        except Exception as error:
            raise answers.of_submission(error, sent=self._call.sent) from error
        if len(batch_job_id) > LONGEST_ID:
            raise Rejected(
                f"AWS Batch named the job {batch_job_id[:20]!a}… with {len(batch_job_id)} "
                f"characters, and a marker keeps {LONGEST_ID}: nothing can follow it."
            )
        return batch_job_id

    def describe(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The JobDetail of each id, without those that AWS Batch doesn't know."""
        wanted = list(ids)
        found: dict[str, dict[str, Any]] = {}
        with self._asking():
            for start in range(0, len(wanted), MOST_IDS):
                reply = self._often.describe_jobs(jobs=wanted[start : start + MOST_IDS])
                found.update({detail["jobId"]: detail for detail in reply["jobs"]})
        return found

    def describe_one(self, batch_job_id: str) -> dict[str, Any] | None:
        """The JobDetail of that id; None if AWS Batch doesn't know it."""
        return self.describe([batch_job_id]).get(batch_job_id)

    def find(self, queue: str, name: str) -> list[dict[str, Any]]:
        """Every Batch job of that name in the queue, whatever its status.

        A queue that is gone, or was never there, has none.
        """
        return [summary for summary in self._list(queue, name) if summary["jobName"] == name]

    def find_all(self, queue: str, prefix: str) -> list[dict[str, Any]]:
        """Every Batch job in the queue whose name begins so; see `find`."""
        return self._list(queue, f"{prefix}*")

    def _list(self, queue: str, name: str) -> list[dict[str, Any]]:
        # ListJobs takes one filter; with one, it shows jobs of every status.
        filters = [{"name": "JOB_NAME", "values": [name]}]
        try:
            found = self._pages("list_jobs", "jobSummaryList", jobQueue=queue, filters=filters)
        except Exception as error:
            if answers.is_refused(error) and not self.queues(queue):
                return []
            raise
        return [summary for summary in found if len(summary["jobId"]) <= LONGEST_ID]

    def terminate(self, batch_job_id: str, reason: str) -> None:
        """Asks AWS Batch to end the job; it is over when DescribeJobs says so."""
        with self._asking():
            self._often.terminate_job(jobId=batch_job_id, reason=reason[:LONGEST_REASON])

    def cancel(self, batch_job_id: str, reason: str) -> None:
        """Ends the job if it has not started; a started job is left alone."""
        with self._asking():
            self._often.cancel_job(jobId=batch_job_id, reason=reason[:LONGEST_REASON])

    # Where jobs go

    def queues(self, name: str) -> list[dict[str, Any]]:
        """The JobQueueDetail of that name or ARN, or nothing."""
        return self._pages("describe_job_queues", "jobQueues", jobQueues=[name])

    def compute_environments(self, names: list[str]) -> list[dict[str, Any]]:
        """The ComputeEnvironmentDetail of each name or ARN that there is."""
        call = "describe_compute_environments"
        return self._pages(call, "computeEnvironments", computeEnvironments=names)

    def definition_revisions(self, name: str) -> list[dict[str, Any]]:
        """Every active JobDefinition of that name, in any order."""
        call, status = "describe_job_definitions", "ACTIVE"
        return self._pages(call, "jobDefinitions", jobDefinitionName=name, status=status)

    def definition(self, revision: str) -> list[dict[str, Any]]:
        """The JobDefinition of that `name:revision` or ARN, active or not."""
        call = "describe_job_definitions"
        return self._pages(call, "jobDefinitions", jobDefinitions=[revision])

    def _pages(self, call: str, key: str, **request: Any) -> list[dict[str, Any]]:
        with self._asking():
            pages = self._often.get_paginator(call).paginate(**request)
            return [found for page in pages for found in page.get(key, [])]
