"""What `--create` makes: the queue and the definition that BATCHEXEC names."""

from __future__ import annotations

from batchexec.conf import settings
from batchexec.local.account import definitions, environments, queues
from batchexec.local.account.region import Region
from batchexec.local.cloud import Cloud
from batchexec.local.errors import ApiError

NAME = "localbatch"
#: What a job without a command of its own prints.
PLACEHOLDER = "This job definition is used with a command in containerOverrides."


def provision(region: Region, cloud: Cloud) -> None:
    """Raises ValueError if BATCHEXEC has names that AWS Batch wouldn't take."""
    try:
        _provision(region, cloud)
    except ApiError as error:
        raise ValueError(
            "What BATCHEXEC_JOB_QUEUE and BATCHEXEC_JOB_DEFINITION name can't be made: "
            f"{error.message}"
        ) from None


def _provision(region: Region, cloud: Cloud) -> None:
    # They may be given as ARNs, and the definition with its revision.
    queue = settings.JOB_QUEUE.rpartition("/")[2]
    definition = settings.JOB_DEFINITION.rpartition("/")[2].partition(":")[0]
    fargate = settings.PLATFORM != "EC2"
    role = f"arn:aws:iam::{region.account}:role/{NAME}"
    subnet, group = cloud.network(region.name)
    resources = {
        "type": "FARGATE" if fargate else "EC2",
        "maxvCpus": 256,
        "subnets": [subnet],
        "securityGroupIds": [group],
    }
    if not fargate:
        resources |= {"minvCpus": 0, "instanceTypes": ["optimal"], "instanceRole": role}
    environments.create(
        region,
        {"computeEnvironmentName": NAME, "type": "MANAGED", "computeResources": resources},
    )
    queues.create(
        region,
        {
            "jobQueueName": queue,
            "priority": 1,
            "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": NAME}],
        },
        allow_short_timeouts=False,
    )
    cpus, memory = ("0.25", "512") if fargate else ("1", "512")
    definitions.register(
        region,
        {
            "jobDefinitionName": definition,
            "type": "container",
            "retryStrategy": {"attempts": 1},
            "platformCapabilities": ["FARGATE" if fargate else "EC2"],
            "containerProperties": {
                "image": NAME,
                "command": ["python", "-c", f"print({PLACEHOLDER!r})"],
                "resourceRequirements": [
                    {"type": "VCPU", "value": cpus},
                    {"type": "MEMORY", "value": memory},
                ],
                "executionRoleArn": role,
            },
        },
        allow_short_timeouts=False,
    )
    cloud.create_log_group(region.name, cloud.DEFAULT_LOG_GROUP)
