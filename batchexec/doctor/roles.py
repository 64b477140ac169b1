"""The roles of the definition: whether they exist, and ECS may take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from batchexec.aws.placement import platform_of
from batchexec.doctor.deployment import Deployment, code_of
from batchexec.doctor.findings import Finding, fault, members, ok
from batchexec.sizes import FARGATE

#: Who must be trusted by the roles of a container. Source: ECS, task roles.
SERVICE = "ecs-tasks.amazonaws.com"


def roles(deployment: Deployment) -> Iterator[Finding]:
    container = deployment.container()
    execution = _arn(container, "executionRoleArn")
    if execution:
        yield from _role(deployment, "execution role", execution)
    elif platform_of(deployment.queue(), deployment.definition()) == FARGATE:
        yield fault(
            "The definition has no execution role, which Fargate needs to pull the image.",
            "set executionRoleArn.",
        )
    job = _arn(container, "jobRoleArn") or _arn(container, "taskRoleArn")
    if job:
        yield from _role(deployment, "job role", job)
    else:
        yield ok("The definition has no job role: jobs call AWS with no rights.")


def _arn(container: dict[str, Any], key: str) -> str:
    return str(container.get(key) or "")


def _role(deployment: Deployment, what: str, arn: str) -> Iterator[Finding]:
    name = arn.rpartition("/")[2]
    try:
        role = deployment.client("iam").get_role(RoleName=name)["Role"]
    except Exception as error:
        if code_of(error) != "NoSuchEntity":
            raise
        yield fault(
            f"The {what} {arn} doesn't exist, so containers don't start.",
            f"make the role {name}, or name another in the definition.",
        )
        return
    if trusts(role.get("AssumeRolePolicyDocument"), SERVICE):
        yield ok(f"The {what} {name} is there, and trusts {SERVICE}.")
    else:
        yield fault(
            f"The {what} {name} doesn't trust {SERVICE}, so containers don't start "
            "(ECS was unable to assume the role).",
            f"allow sts:AssumeRole to the service {SERVICE} in the role's trust policy.",
        )


def trusts(policy: Any, service: str) -> bool:
    """Whether a trust policy lets the service take the role; conditions aside."""
    statements: Iterable[Any] = members(policy, "Statement")
    if isinstance(policy, dict) and isinstance(policy.get("Statement"), dict):
        statements = [policy["Statement"]]
    for statement in statements:
        principal = statement.get("Principal")
        services = _list(principal.get("Service")) if isinstance(principal, dict) else []
        actions = {str(action).lower() for action in _list(statement.get("Action"))}
        if (
            statement.get("Effect") == "Allow"
            and service in services
            and actions & {"sts:assumerole", "sts:*", "*"}
        ):
            return True
    return False


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
