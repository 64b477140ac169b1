"""The account that a server plays: its regions, and the calls that change them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from batchexec.local.account import capacity, definitions, environments, queues, scheduling
from batchexec.local.account.capacity import Block
from batchexec.local.account.cloudformation import adopt
from batchexec.local.account.provision import provision
from batchexec.local.account.region import Region
from batchexec.local.cloud import Cloud
from batchexec.local.job import Job
from batchexec.local.rules.containers import requirements
from batchexec.local.rules.sizes import sizes

Operation = Callable[[Region, Mapping[str, Any]], dict[str, Any]]


class Account:
    """Hold `lock` while you use a region.

    With `create`, each region has the job queue and the job definition that BATCHEXEC
    names; without, what calls have made.
    """

    def __init__(self, cloud: Cloud, *, create: bool, allow_short_timeouts: bool):
        self.lock = threading.RLock()
        self._cloud = cloud
        self._create = create
        self._regions: dict[str, Region] = {}
        self._adopted: set[str] = set()
        short = allow_short_timeouts
        self._operations: dict[str, Operation] = {
            "CreateComputeEnvironment": environments.create,
            "DescribeComputeEnvironments": environments.describe,
            "UpdateComputeEnvironment": environments.update,
            "DeleteComputeEnvironment": environments.delete,
            "CreateJobQueue": partial(queues.create, allow_short_timeouts=short),
            "DescribeJobQueues": queues.describe,
            "UpdateJobQueue": partial(queues.update, allow_short_timeouts=short),
            "DeleteJobQueue": queues.delete,
            "RegisterJobDefinition": partial(definitions.register, allow_short_timeouts=short),
            "DescribeJobDefinitions": definitions.describe,
            "DeregisterJobDefinition": definitions.deregister,
            "CreateSchedulingPolicy": scheduling.create,
            "DescribeSchedulingPolicies": scheduling.describe,
            "ListSchedulingPolicies": scheduling.list_all,
            "UpdateSchedulingPolicy": scheduling.update,
            "DeleteSchedulingPolicy": scheduling.delete,
        }

    def region(self, name: str) -> Region:
        """Raises UnknownRegion if AWS Batch has no such region."""
        moto = self._cloud.batch(name)
        with self.lock:
            if name not in self._regions:
                region = Region(self._cloud.account, name, partial(self._cloud.has_subnet, name))
                if self._create:
                    provision(region, self._cloud)
                self._regions[name] = region
            adopt(self._regions[name], moto, self._adopted)
            return self._regions[name]

    def block(self, job: Job) -> Block | None:
        """What keeps a job from being placed, or None. Needs no lock."""
        cpus = sizes(job.container, requirements(job.container)).get("VCPU", 0)
        return capacity.block(self._regions[job.region], job.queue_arn, cpus)

    def operation(self, name: str) -> Operation | None:
        return self._operations.get(name)
