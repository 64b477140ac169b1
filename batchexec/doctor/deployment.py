"""What a deployment has in AWS, asked once for all checks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from batchexec.aws.boto import Config, boto3, exceptions
from batchexec.aws.catalogue import Catalogue
from batchexec.aws.client import BatchClient
from batchexec.aws.definitions import ECS_PROPERTIES, EKS_PROPERTIES, Definition
from batchexec.aws.queues import Queue
from batchexec.conf import settings
from batchexec.doctor.findings import NotThere, member, members

T = TypeVar("T")

#: Seconds that a call waits for a connection, and for its answer.
CONNECT_TIMEOUT, READ_TIMEOUT = 4, 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: The variable that names another address for all of AWS's services.
ENDPOINT = "AWS_ENDPOINT_URL"


class Deployment:
    """The settings' queue and definition, and clients of the services around them.

    It is thread-safe. What isn't there raises NotThere; what AWS denies or can't
    answer raises what boto3 raises, each time.
    """

    def __init__(self, worker_role: str = ""):
        #: The ARN of the role to look at in place of the caller's.
        self.worker_role = worker_role
        self._session = boto3.session.Session()
        self.region: str = os.environ.get("AWS_REGION") or self._session.region_name or ""
        self._lock = threading.RLock()
        self._kept: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client of that service, which gives up soon."""
        return self._once(f"client {service}", lambda: self._client(service))

    def _client(self, service: str) -> Any:
        config = Config(
            retries={"total_max_attempts": 2, "mode": "standard"},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
        )
        # localbatch, whose address may be given for AWS Batch alone, serves the others.
        endpoint = self.local_endpoint if ENDPOINT not in os.environ else None
        return self._session.client(
            service, region_name=self.region, config=config, endpoint_url=endpoint
        )

    @property
    def local_endpoint(self) -> str | None:
        """The address of AWS Batch, if it is on this machine."""
        url = os.environ.get(f"{ENDPOINT}_BATCH") or os.environ.get(ENDPOINT) or ""
        return url if urlsplit(url).hostname in LOOPBACK else None

    def regions(self) -> set[str]:
        """Those in which AWS Batch exists, as far as this boto3 knows."""
        return {
            region
            for partition in self._session.get_available_partitions()
            for region in self._session.get_available_regions("batch", partition_name=partition)
        }

    def identity(self) -> dict[str, Any]:
        """Who calls, as STS says."""
        return self._once("identity", lambda: self.client("sts").get_caller_identity())

    @property
    def batch(self) -> BatchClient:
        return self._once("batch", BatchClient)

    def _catalogue(self) -> Catalogue:
        return self._once("catalogue", lambda: Catalogue(self.batch))

    def queue(self) -> Queue:
        return self._once("queue", lambda: self._catalogue().queue(settings.JOB_QUEUE))

    def definition(self) -> Definition:
        name = settings.JOB_DEFINITION
        return self._once("definition", lambda: self._catalogue().definition(name))

    def queue_detail(self) -> dict[str, Any]:
        """AWS's JobQueueDetail."""
        return _only(self._once("queues", lambda: self.batch.queues(settings.JOB_QUEUE)))

    def environments(self) -> list[dict[str, Any]]:
        """AWS's ComputeEnvironmentDetail of each environment of the queue."""
        order = members(self.queue_detail(), "computeEnvironmentOrder")
        names = [str(one.get("computeEnvironment")) for one in order]
        if not names:
            return []
        return self._once("environments", lambda: self.batch.compute_environments(names))

    def definition_detail(self) -> dict[str, Any]:
        """AWS's JobDefinition of the revision that jobs get now."""
        if self.definition().problem:
            raise NotThere
        pinned = self.definition().pinned
        return _only(self._once("details", lambda: self.batch.definition(pinned)))

    def container(self) -> dict[str, Any]:
        """What the definition says of the container that runs jobs, on ECS."""
        detail, definition = self.definition_detail(), self.definition()
        if definition.kind == EKS_PROPERTIES:
            raise NotThere
        if definition.kind != ECS_PROPERTIES:
            return member(detail, "containerProperties")
        for task in members(member(detail, "ecsProperties"), "taskProperties"):
            for container in members(task, "containers"):
                if container.get("name") == definition.container:
                    # A task's roles and platform hold for its containers.
                    return {**task, **container}
        raise NotThere

    def _once(self, name: str, ask: Callable[[], T]) -> T:
        """The answer, which is kept. An error isn't, so each check tells of its own."""
        with self._lock:
            if name not in self._kept:
                self._kept[name] = ask()
            answer: T = self._kept[name]
            return answer


def _only(found: list[dict[str, Any]]) -> dict[str, Any]:
    if not found:
        raise NotThere
    return found[0]


def code_of(error: BaseException) -> str:
    """AWS's code of an error; empty for any other."""
    if not isinstance(error, exceptions.ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))
