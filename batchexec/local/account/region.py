"""What exists in one region of the account, as the Describe calls show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Detail = dict[str, Any]


class Region:
    """The resources by ARN, the oldest first. Each is the dictionary that AWS shows.

    `has_subnet` tells whether the account has a subnet of that id.
    """

    def __init__(self, account: str, name: str, has_subnet: Callable[[str], bool]):
        self.account = account
        self.name = name
        self.prefix = f"arn:aws:batch:{name}:{account}"
        self.has_subnet = has_subnet
        self.environments: dict[str, Detail] = {}
        self.queues: dict[str, Detail] = {}
        self.definitions: dict[str, Detail] = {}
        self.policies: dict[str, Detail] = {}

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a resource that is given by its name or its ARN."""
        return name if name.startswith("arn:") else f"{self.prefix}:{kind}/{name}"

    def environment(self, name: str) -> Detail | None:
        return self.environments.get(self.arn("compute-environment", name))

    def queue(self, name: str) -> Detail | None:
        return self.queues.get(self.arn("job-queue", name))

    def environments_of(self, queue: Detail) -> list[Detail]:
        """Those that still exist, the preferred one first."""
        order = sorted(queue["computeEnvironmentOrder"], key=lambda one: one["order"])
        found = [self.environment(one["computeEnvironment"]) for one in order]
        return [one for one in found if one is not None]

    def definition(self, identifier: str) -> Detail | None:
        """The active definition of this ARN or name; without a revision, the latest."""
        arn = self.arn("job-definition", identifier)
        return next((one for one in self.revisions(arn) if one["status"] == "ACTIVE"), None)

    def revisions(self, arn: str) -> Iterator[Detail]:
        """The definitions with that ARN or with a revision of it, the latest first."""
        for known in reversed(self.definitions):
            if arn in (known, known.rpartition(":")[0]):
                yield self.definitions[known]

    def resource(self, arn: str) -> Detail | None:
        kinds = (self.environments, self.queues, self.definitions, self.policies)
        return next((kind[arn] for kind in kinds if arn in kind), None)
