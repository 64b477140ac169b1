"""The secrets that the definition names: whether they are there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from batchexec.doctor.deployment import Deployment, code_of
from batchexec.doctor.findings import Finding, fault, members, ok

#: A secret's ARN, and what ECS takes of it: `:<key>:<stage>:<version>`.
SECRET = re.compile(
    r"(?P<secret>arn:[\w-]+:secretsmanager:(?P<region>[\w-]+):\d+:secret:[^:]+)"
    r"(?::(?P<key>[^:]*)(?::(?P<stage>[^:]*))?(?::(?P<version>[^:]*))?)?"
)
PARAMETER = re.compile(r"(?:arn:[\w-]+:ssm:[\w-]+:\d+:parameter)?(?P<name>/?[\w./-]+)")
GONE = ("ResourceNotFoundException", "ParameterNotFound")


def secrets(deployment: Deployment) -> Iterator[Finding]:
    """Asks for their names only, never for what they hold."""
    container = deployment.container()
    for one in members(container, "secrets"):
        name, source = str(one.get("name")), str(one.get("valueFrom") or "")
        secret, parameter = SECRET.fullmatch(source), PARAMETER.fullmatch(source)
        if secret:
            found = bool(known_arn(deployment, secret["secret"]))
        elif parameter:
            found = _is_parameter(deployment, parameter["name"])
        else:
            yield fault(
                f"The secret {name} is from {source!r}, which is neither a secret's ARN nor a "
                "parameter's.",
                "name the ARN of a secret in Secrets Manager in valueFrom.",
            )
            continue
        if found:
            yield ok(f"The secret {name} is there.")
        else:
            yield fault(
                f"The secret {name} is from {source}, which doesn't exist, so containers don't "
                "start (ResourceInitializationError).",
                "make it (aws secretsmanager create-secret), or name the ARN of another.",
            )
    for one in members(container, "environment"):
        if re.search("SECRET|PASSWORD|DATABASE_URL|SIGNING", str(one.get("name"))):
            yield fault(
                f"The definition has {one.get('name')} in its environment, where everyone who may "
                "describe it reads it.",
                "move it to Secrets Manager, name it in `secrets`, and change its value.",
            )


def known_arn(deployment: Deployment, arn: str) -> str:
    """The secret's ARN as AWS writes it; empty if there is no such secret.

    It may be given without its six random characters, with which IAM compares it.
    """
    try:
        answer = deployment.client("secretsmanager").describe_secret(SecretId=arn)
    except Exception as error:
        if code_of(error) in GONE:
            return ""
        raise
    return "" if answer.get("DeletedDate") else str(answer.get("ARN") or arn)


def _is_parameter(deployment: Deployment, name: str) -> bool:
    answer = deployment.client("ssm").describe_parameters(
        ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": [name]}]
    )
    return bool(answer.get("Parameters"))
