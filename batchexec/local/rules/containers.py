"""A container's properties, and what a submission overrides of them.

Source: ContainerOverrides and KeyValuePair in the API reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from batchexec.local.errors import refuse

#: Of a container's overrides, in characters of JSON. ECS refuses longer ones when the
#: job is to start, so that it is accepted and then FAILED. Source: public reports.
LONGEST_OVERRIDES = 8192
TOO_LONG = f"Container Overrides length must be at most {LONGEST_OVERRIDES}"
LISTS = (
    "command",
    "environment",
    "resourceRequirements",
    "mountPoints",
    "secrets",
    "ulimits",
    "volumes",
)

Container = dict[str, Any]
Pairs = list[dict[str, str]]


def with_defaults(properties: Mapping[str, Any]) -> Container:
    """A definition's container as AWS keeps it: without empty variables."""
    container = {key: [] for key in LISTS} | deepcopy(dict(properties))
    container["environment"] = _not_empty(container["environment"])
    return container


def overridden(properties: Mapping[str, Any], overrides: Mapping[str, Any]) -> Container:
    """The definition's container with the overrides of a submission.

    Each variable and each requirement is overridden by itself; the others stay.
    """
    container = with_defaults(properties)
    if command := overrides.get("command"):
        if not all(command):
            raise refuse("containerOverrides.command must not contain empty strings.")
        container["command"] = list(command)
    environment = _not_empty(overrides.get("environment") or [])
    check_environment(environment)
    container["environment"] = _merged(container["environment"], environment, "name")
    container["resourceRequirements"] = _merged(
        container["resourceRequirements"], overrides.get("resourceRequirements") or [], "type"
    )
    return container


def check_environment(variables: Iterable[Mapping[str, str]]) -> None:
    for variable in variables:
        if not variable.get("name"):
            raise refuse("An environment variable must have a name.")
        if variable["name"].startswith("AWS_BATCH"):
            raise refuse(
                f"Environment variable {variable['name']}: "
                "names that start with AWS_BATCH are reserved."
            )


def too_long(overrides: Mapping[str, Any]) -> bool:
    """Whether a job with these overrides fails before it starts."""
    return len(json.dumps(overrides, separators=(",", ":"))) > LONGEST_OVERRIDES


def requirements(container: Mapping[str, Any]) -> dict[str, str]:
    return {one["type"]: one["value"] for one in container.get("resourceRequirements") or []}


def _not_empty(variables: Iterable[Mapping[str, str]]) -> Pairs:
    # AWS drops a variable without a value, and says nothing.
    return [dict(one) for one in variables if one.get("value")]


def _merged(first: Pairs, second: Pairs, key: str) -> Pairs:
    """Both lists of AWS's named values; a later value replaces an earlier one."""
    merged = {item[key]: item["value"] for item in [*first, *second]}
    return [{key: name, "value": value} for name, value in merged.items()]
