"""Whether a queue's compute environments can run a job, and why not.

Such a job stays RUNNABLE and says why, as the job at the head of a blocked queue does.
Source: "Jobs stuck in a RUNNABLE status" in the User Guide. AWS has no capacity when it
has none; here, an environment that is DISABLED has none.
"""

from __future__ import annotations

from dataclasses import dataclass

from batchexec.local.account.region import Detail, Region

NO_CAPACITY = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - "
    "Service cannot fulfill the capacity requested for the job queue"
)
TOO_SMALL = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - "
    "The compute environments of the job queue have a maxvCpus that is less than the job needs"
)


@dataclass(frozen=True)
class Block:
    """Why a job stays RUNNABLE.

    The queue may cancel it `cancel_after` seconds later, for the reason `code`.
    """

    reason: str
    cancel_after: float | None = None
    code: str = ""


def block(region: Region, queue_arn: str, cpus: float) -> Block | None:
    """What keeps a job with that many vCPUs from being placed, or None."""
    queue = region.queues.get(queue_arn)
    if queue is None:
        return Block(NO_CAPACITY)
    usable = [
        one
        for one in region.environments_of(queue)
        if one["state"] == "ENABLED" and one["status"] == "VALID"
    ]
    if not usable:
        return _with_limit(queue, NO_CAPACITY)
    if all(cpus > one.get("computeResources", {}).get("maxvCpus", cpus) for one in usable):
        return _with_limit(queue, TOO_SMALL)
    return None


def _with_limit(queue: Detail, reason: str) -> Block:
    for action in queue.get("jobStateTimeLimitActions", []):
        if reason.startswith(action["reason"]):
            return Block(reason, action["maxTimeSeconds"], action["reason"])
    return Block(reason)
