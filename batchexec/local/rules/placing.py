"""Which queue takes which job.

The texts for a queue that is disabled or invalid, and for a definition of another
platform, are ours: AWS's aren't known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchexec.local.account import queues
from batchexec.local.account.region import Detail, Region
from batchexec.local.errors import refuse
from batchexec.local.rules.names import check_share_identifier

#: What the queues of a type run.
PLATFORMS = {"ECS": "EC2", "ECS_FARGATE": "FARGATE", "ECS_MANAGED_INSTANCES": "EC2"}


def queue_for(region: Region, request: Mapping[str, Any]) -> Detail:
    """The job queue that a submission names. Raises ApiError if it takes no jobs."""
    queue = queues.existing(region, request["jobQueue"])
    name = queue["jobQueueName"]
    if queue["state"] != "ENABLED":
        raise refuse(f"Job queue {name} is {queue['state']} and takes no jobs.")
    if queues.status(region, queue)["status"] != "VALID":
        raise refuse(f"Job queue {name} is INVALID and takes no jobs.")
    share = request.get("shareIdentifier")
    fair = "schedulingPolicyArn" in queue
    if fair != (share is not None):
        wanted = "must" if fair else "must not"
        raise refuse(
            f"shareIdentifier {wanted} be given for the job queue {name}, "
            "because of its scheduling policy."
        )
    if share is not None:
        check_share_identifier(share)
    return queue


def check_platform(queue: Detail, definition: Detail) -> None:
    """Raises ApiError if the queue's compute environments can't run the definition."""
    kind = queue["jobQueueType"]
    if (kind == "EKS") != ("eksProperties" in definition):
        raise refuse(f"Job queue {queue['jobQueueName']} of type {kind} doesn't take this job.")
    wanted = definition.get("platformCapabilities")
    if wanted and kind in PLATFORMS and PLATFORMS[kind] not in wanted:
        raise refuse(
            f"Job definition {definition['jobDefinitionName']} is for {wanted[0]}, and job queue "
            f"{queue['jobQueueName']} has {PLATFORMS[kind]} compute environments."
        )
