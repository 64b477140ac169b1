"""A real boto3 client over HTTP.

A job that must still run when it is looked at ends by an event, or runs for as long as
any test may take: `sleep 600`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from batchexec.local.faults import LOOK
from batchexec.local.job import Job
from batchexec.local.scheduler import Scheduler
from tests.processes import wait_for

ONCE = Config(
    retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=120, read_timeout=120
)
FINISHED = {"SUCCEEDED", "FAILED"}


def stay(monkeypatch: pytest.MonkeyPatch, stays: Callable[[Job], bool]) -> None:
    """Jobs take their next step when its time has come, but not as long as they are to
    stay as they are.
    """
    after = Scheduler._after

    def later(self: Scheduler, job: Job, seconds: float, step: Callable[[Job], None]) -> None:
        def once_let_go(job: Job) -> None:
            if stays(job):
                after(self, job, LOOK, once_let_go)
            else:
                step(job)

        after(self, job, seconds, once_let_go)

    monkeypatch.setattr(Scheduler, "_after", later)


def requirements(vcpu: str, memory: str) -> list[dict[str, str]]:
    return [{"type": "VCPU", "value": vcpu}, {"type": "MEMORY", "value": memory}]


class Batch:
    """AWS Batch as a client sees it."""

    def __init__(self, url: str, region: str = "us-east-1", config: Config = ONCE):
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
        self.client = boto3.client(
            "batch", endpoint_url=url, region_name=region, config=config, **keys
        )
        self._logs = lambda: boto3.client(
            "logs", endpoint_url=url, region_name=region, config=config, **keys
        )

    logs: Any = None

    def register(self, name: str, definition: Any = None, **properties: Any) -> str:
        """Registers a definition for Fargate, and returns its ARN."""
        container = {
            "image": "x",
            "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "resourceRequirements": requirements("1", "2048"),
            **properties,
        }
        request = {
            "jobDefinitionName": name,
            "type": "container",
            "platformCapabilities": ["FARGATE"],
            "containerProperties": container,
            **(definition or {}),
        }
        return str(self.client.register_job_definition(**request)["jobDefinitionArn"])

    def submit(self, *command: str, name: str = "a-job", **options: Any) -> str:
        overrides = {"command": list(command), **options.pop("overrides", {})}
        reply = self.client.submit_job(
            jobName=name,
            jobQueue=options.pop("queue", "delayed-jobs"),
            jobDefinition=options.pop("definition", "delayed-jobs"),
            containerOverrides=overrides,
            **options,
        )
        return str(reply["jobId"])

    def python(self, code: str, **options: Any) -> str:
        return self.submit("python", "-c", code, **options)

    def describe(self, *ids: str) -> Any:
        return self.client.describe_jobs(jobs=list(ids))["jobs"]

    def status(self, job_id: str) -> str:
        return str(self.describe(job_id)[0]["status"])

    def until_status(self, job_id: str, *statuses: str) -> Any:
        return wait_for(
            lambda: next((job for job in self.describe(job_id) if job["status"] in statuses), None)
        )

    def finished(self, job_id: str) -> Any:
        return self.until_status(job_id, *FINISHED)

    def listed(self, **request: Any) -> list[str]:
        reply = self.client.list_jobs(jobQueue="delayed-jobs", **request)
        return [job["jobId"] for job in reply["jobSummaryList"]]

    def output(self, job_id: str) -> list[str]:
        stream = self.describe(job_id)[0]["container"]["logStreamName"]
        logs = self.logs = self.logs or self._logs()
        reply = logs.get_log_events(
            logGroupName="/aws/batch/job", logStreamName=stream, startFromHead=True
        )
        return [event["message"] for event in reply["events"]]

    def until_output(self, job_id: str, line: str) -> None:
        """Waits until the running job has printed that line."""
        self.until_status(job_id, "RUNNING")
        wait_for(lambda: line in self.output(job_id))


def boto(url: str, service: str, region: str = "us-east-1") -> Any:
    """A client of any service of the server's."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
    return boto3.client(service, endpoint_url=url, region_name=region, config=ONCE, **keys)


def refused(call: Callable[..., Any], *args: Any, **options: Any) -> str:
    """The message of AWS Batch's refusal. Fails the test when it isn't refused so."""
    with pytest.raises(ClientError) as error:
        call(*args, **options)
    assert error.value.response["Error"]["Code"] == "ClientException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(error.value.response["Error"]["Message"])


class Made(Batch):
    """An empty account, and short ways to make things in it."""

    def __init__(self, url: str):
        super().__init__(url)
        network = boto(url, "ec2")
        self.subnet = network.describe_subnets()["Subnets"][0]["SubnetId"]
        self.group = network.describe_security_groups()["SecurityGroups"][0]["GroupId"]

    def environment(self, name: str, kind: str = "FARGATE", **resources: Any) -> str:
        given = {"type": kind, "maxvCpus": 16, "subnets": [self.subnet], **resources}
        if kind.startswith("FARGATE"):
            given.setdefault("securityGroupIds", [self.group])
        reply = self.client.create_compute_environment(
            computeEnvironmentName=name, type="MANAGED", computeResources=given
        )
        return str(reply["computeEnvironmentArn"])

    def queue(self, name: str, *environments: str, **options: Any) -> str:
        order = [{"order": n, "computeEnvironment": one} for n, one in enumerate(environments, 1)]
        reply = self.client.create_job_queue(
            jobQueueName=name, **{"priority": 1, "computeEnvironmentOrder": order, **options}
        )
        return str(reply["jobQueueArn"])

    def shown_queue(self, name: str) -> Any:
        (queue,) = self.client.describe_job_queues(jobQueues=[name])["jobQueues"]
        return queue

    def shown_environment(self, name: str) -> Any:
        reply = self.client.describe_compute_environments(computeEnvironments=[name])
        (environment,) = reply["computeEnvironments"]
        return environment


PYTHON = sys.executable
