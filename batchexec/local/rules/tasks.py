"""Which overrides a definition takes, and the container that they make.

Source: SubmitJob in the API reference, and "Multi-container jobs" in the User Guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from batchexec.local.account.region import Detail
from batchexec.local.errors import refuse
from batchexec.local.rules import containers, pods

#: The overrides that a kind of definition takes.
OWN = {
    "containerProperties": "containerOverrides",
    "ecsProperties": "ecsPropertiesOverride",
    "eksProperties": "eksPropertiesOverride",
}
OVERRIDES = (*OWN.values(), "nodeOverrides")


@dataclass(frozen=True)
class Task:
    """What a job runs. `ecs` is the task of an `ecsProperties` definition, overridden,
    and `pod` that of an `eksProperties` one.

    `overrides` is what counts for their longest length.
    """

    container: Detail
    overrides: Mapping[str, Any]
    ecs: Detail | None = None
    pod: Detail | None = None


def task_for(definition: Detail, request: Mapping[str, Any]) -> Task:
    """Raises ApiError if the definition takes no such overrides."""
    old = request.get("containerOverrides") or request.get("nodeOverrides")
    if old and "eksProperties" in definition:
        raise refuse(
            "Container overrides or node overrides should not be set for Batch on EKS jobs."
        )
    if "nodeProperties" in definition:
        if request.get("containerOverrides"):
            raise refuse("Container overrides should not be set for multi-node parallel jobs.")
        raise refuse("localbatch runs no multi-node parallel jobs.")
    own = next(OWN[kind] for kind in OWN if kind in definition)
    for key in OVERRIDES:
        if request.get(key) and key != own:
            kind = next(kind for kind in OWN if kind in definition)
            raise refuse(f"{key} should not be set for a job definition with {kind}: set {own}.")
    overrides = request.get(own) or {}
    if own == "containerOverrides":
        container = containers.overridden(definition["containerProperties"], overrides)
        return Task(container, overrides)
    if own == "eksPropertiesOverride":
        pod = pods.overridden(definition["eksProperties"]["podProperties"], overrides)
        return Task(pods.runnable(pod["containers"][0]), overrides, pod=pod)
    return _of_ecs(definition["ecsProperties"]["taskProperties"][0], overrides)


def _of_ecs(properties: Detail, overrides: Mapping[str, Any]) -> Task:
    given = (overrides.get("taskProperties") or [{}])[0].get("containers") or []
    names = [container["name"] for container in properties["containers"]]
    for one in given:
        if one.get("name") not in names:
            raise refuse(
                f"ecsPropertiesOverride: the job definition has no container {one.get('name')!r}, "
                f"only {', '.join(names)}."
            )
    by_name = {one["name"]: one for one in given}
    task = deepcopy(properties)
    task["containers"] = [
        containers.overridden(container, by_name.get(container["name"], {}))
        for container in properties["containers"]
    ]
    essential = [one for one in task["containers"] if one.get("essential", True)]
    if len(essential) != 1:
        raise refuse("localbatch runs one essential container of a job.")
    shared: Detail = {
        key: task[key]
        for key in ("ephemeralStorage", "executionRoleArn", "networkConfiguration")
        if key in task
    }
    return Task({**shared, **essential[0]}, by_name.get(essential[0]["name"], {}), task)
