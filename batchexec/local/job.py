"""A Batch job and its attempts, as DescribeJobs and ListJobs show them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

FINISHED = ("SUCCEEDED", "FAILED")
BEFORE_STARTING = ("SUBMITTED", "PENDING", "RUNNABLE")
STATUSES = (*BEFORE_STARTING, "STARTING", "RUNNING", *FINISHED)


def milliseconds() -> int:
    """The time now, as AWS writes times: in milliseconds since 1970."""
    return int(time.time() * 1000)


def present(**values: Any) -> dict[str, Any]:
    """A dictionary without the keys whose value is None, which AWS leaves out."""
    return {key: value for key, value in values.items() if value is not None}


@dataclass
class Attempt:
    """One attempt of a job. Times are in milliseconds since 1970."""

    task_arn: str
    started_at: int | None = None
    stopped_at: int | None = None
    status_reason: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    log_stream: str | None = None

    def container(self) -> dict[str, Any]:
        return present(
            exitCode=self.exit_code,
            reason=self.reason,
            logStreamName=self.log_stream,
            taskArn=self.task_arn,
        )

    def describe(self) -> dict[str, Any]:
        return present(
            container=self.container(),
            startedAt=self.started_at,
            stoppedAt=self.stopped_at,
            statusReason=self.status_reason,
        )


@dataclass(eq=False)
class Job:
    """A submission merged with its definition, and what has become of it.

    `number` counts jobs in the order of their submission; `timeout` is in seconds.
    `ecs` is the task of a definition with `ecsProperties`, of which `container` is the
    essential one, and `pod` the pod of one with `eksProperties`. `doom` is why it is
    FAILED before it starts, if it is.
    """

    name: str
    region: str
    account: str
    queue: str
    queue_arn: str
    compute_environment: str
    definition: str
    definition_arn: str
    container: dict[str, Any]
    ecs: dict[str, Any] | None = None
    pod: dict[str, Any] | None = None
    platform: list[str] | None = None
    doom: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    depends_on: list[dict[str, str]] = field(default_factory=list)
    timeout: float | None = None
    max_attempts: int = 1
    evaluate_on_exit: list[dict[str, str]] = field(default_factory=list)
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    propagate_tags: bool = False

    number: int = 0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created_at: int = field(default_factory=milliseconds)
    stopped_at: int | None = None
    status: str = "SUBMITTED"
    status_reason: str | None = None
    attempts: list[Attempt] = field(default_factory=list)
    is_cancelled: bool = False
    is_terminated: bool = False

    @property
    def arn(self) -> str:
        return f"{self.definition_arn.partition(':job-definition/')[0]}:job/{self.id}"

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    @property
    def attempt(self) -> Attempt | None:
        """The latest attempt, or None before the first."""
        return self.attempts[-1] if self.attempts else None

    def new_attempt(self) -> Attempt:
        prefix = self.definition_arn.partition(":job-definition/")[0].replace(":batch:", ":ecs:", 1)
        attempt = Attempt(task_arn=f"{prefix}:task/localbatch/{uuid.uuid4().hex}")
        self.attempts.append(attempt)
        return attempt

    @property
    def stop_timeout(self) -> int | None:
        """Seconds from SIGTERM to SIGKILL, if the definition has them."""
        return self.container.get("stopTimeout")

    @property
    def log_options(self) -> dict[str, str]:
        return dict((self.container.get("logConfiguration") or {}).get("options") or {})

    def log_stream(self, attempt: Attempt) -> str:
        prefix = self.log_options.get("awslogs-stream-prefix", self.definition[:200])
        name = self.container.get("name", "default")
        return f"{prefix}/{name}/{attempt.task_arn.rpartition('/')[2]}"

    def environment(self) -> dict[str, str]:
        """The container's environment, with the variables that AWS Batch adds."""
        return {
            **{variable["name"]: variable["value"] for variable in self.container["environment"]},
            "AWS_BATCH_JOB_ID": self.id,
            "AWS_BATCH_JOB_ATTEMPT": str(len(self.attempts)),
            "AWS_BATCH_JQ_NAME": self.queue,
            "AWS_BATCH_CE_NAME": self.compute_environment,
        }

    def command(self) -> list[str]:
        """The container's command, with its `Ref::name` placeholders filled."""
        filled = []
        for part in self.container["command"]:
            for name in sorted(self.parameters, key=len, reverse=True):
                part = part.replace(f"Ref::{name}", self.parameters[name])
            filled.append(part)
        return filled

    def _shown(self, status: str) -> dict[str, Any]:
        started = None
        # A job that waits for its next attempt shows no start.
        if self.attempt and status not in BEFORE_STARTING:
            started = self.attempt.started_at
        return present(
            jobArn=self.arn,
            jobId=self.id,
            jobName=self.name,
            createdAt=self.created_at,
            startedAt=started,
            stoppedAt=self.stopped_at,
            status=status,
            statusReason=self.status_reason,
            jobDefinition=self.definition_arn,
            isCancelled=self.is_cancelled or None,
            isTerminated=self.is_terminated or None,
            shareIdentifier=self.share_identifier,
            schedulingPriority=self.scheduling_priority,
        )

    def summary(self) -> dict[str, Any]:
        """The job as a JobSummary of ListJobs."""
        container = {}
        if self.attempt and self.ecs is None and self.pod is None:
            container = present(exitCode=self.attempt.exit_code, reason=self.attempt.reason)
        return self._shown(self.status) | ({"container": container} if container else {})

    def describe(self, status: str = "") -> dict[str, Any]:
        """The job as a JobDetail of DescribeJobs.

        A fault may show another `status` than it has.
        """
        retry = present(attempts=self.max_attempts, evaluateOnExit=self.evaluate_on_exit or None)
        return self._shown(status or self.status) | present(
            jobQueue=self.queue_arn,
            attempts=[
                self._attempt_shown(attempt) for attempt in self.attempts if self.pod is None
            ],
            dependsOn=self.depends_on,
            parameters=self.parameters,
            tags=self.tags,
            propagateTags=self.propagate_tags,
            platformCapabilities=self.platform,
            retryStrategy=retry,
            timeout={"attemptDurationSeconds": self.timeout} if self.timeout else None,
            **self._container_shown(),
        )

    def _container_shown(self) -> dict[str, Any]:
        ended = self.attempt.container() if self.attempt else {}
        if self.pod is not None:
            return self._pod_shown(ended)
        if self.ecs is None:
            return {"container": self.container | ended}
        task_arn = ended.pop("taskArn", None)
        containers = [
            one | ended if one["name"] == self.container["name"] else one
            for one in self.ecs["containers"]
        ]
        task = {**self.ecs, "containers": containers, **present(taskArn=task_arn)}
        return {"ecsProperties": {"taskProperties": [task]}}

    def _pod_shown(self, ended: dict[str, Any]) -> dict[str, Any]:
        kept = {key: ended[key] for key in ("exitCode", "reason") if key in ended}
        assert self.pod is not None
        containers = [one | kept for one in self.pod["containers"]]
        shown = []
        for attempt in self.attempts:
            one = attempt.describe()
            container = one.pop("container")
            container = {key: container[key] for key in ("exitCode", "reason") if key in container}
            shown.append({**one, "containers": [{"name": self.container["name"], **container}]})
        pod = {**self.pod, "containers": containers, "podName": f"aws-batch.{self.id}"}
        return {"eksProperties": {"podProperties": pod}, "eksAttempts": shown}

    def _attempt_shown(self, attempt: Attempt) -> dict[str, Any]:
        shown = attempt.describe()
        if self.ecs is not None:
            container = shown.pop("container")
            task = present(taskArn=container.pop("taskArn", None))
            container["name"] = self.container["name"]
            shown["taskProperties"] = [{**task, "containers": [container]}]
        return shown
