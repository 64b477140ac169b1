"""Pods of `eksProperties` definitions, and what a submission overrides of them.

Source: EksContainer, EksContainerOverride and EksContainerResourceRequirements in the
API reference. There is no image here whose entry point could run: without a `command`,
the `args` are the whole command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from batchexec.local.account.region import Detail
from batchexec.local.errors import refuse
from batchexec.local.rules.containers import check_environment

#: What a container is called that has no name.
DEFAULT_NAME = "Default"
MEMORY = re.compile(r"\d+Mi")
MIN_MEMORY = 4


def named(properties: Mapping[str, Any]) -> Detail:
    """A definition's pod as AWS keeps it. Raises ApiError if no pod can be so."""
    pod = deepcopy(dict(properties.get("podProperties") or {}))
    if not pod.get("containers"):
        raise refuse("eksProperties.podProperties must have containers.")
    pod["containers"] = [{"name": DEFAULT_NAME, **one} for one in pod["containers"]]
    for container in pod["containers"]:
        check_resources(container)
        check_environment(container.get("env") or [])
    return {"podProperties": pod}


def overridden(pod: Mapping[str, Any], overrides: Mapping[str, Any]) -> Detail:
    """The pod with the overrides of a submission. Raises ApiError if AWS refuses it."""
    given = (overrides.get("podProperties") or {}).get("containers") or []
    names = [container["name"] for container in pod["containers"]]
    # With one container, its name may be left out.
    by_name = {one.get("name", names[0] if len(names) == 1 else None): one for one in given}
    for name in by_name:
        if name not in names:
            raise refuse(f"eksPropertiesOverride: the pod has no container {name!r}.")
    merged = [_merged(one, by_name.get(one["name"], {})) for one in pod["containers"]]
    if len(merged) != 1:
        raise refuse("localbatch runs one container of a pod.")
    return {**deepcopy(dict(pod)), "containers": merged}


def runnable(container: Mapping[str, Any]) -> Detail:
    """The container as localbatch runs it, in the form of ECS."""
    command = [*(container.get("command") or []), *(container.get("args") or [])]
    return {"name": container["name"], "command": command, "environment": container["env"]}


def check_resources(container: Mapping[str, Any]) -> None:
    resources = container.get("resources") or {}
    for kind in ("limits", "requests"):
        for name, value in (resources.get(kind) or {}).items():
            _check_resource(name, value)
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name in ("memory", "nvidia.com/gpu"):
        if name in limits and limits[name] != requests.get(name, limits[name]):
            raise refuse(f"{name} in limits must be equal to {name} in requests.")


def _check_resource(name: str, value: str) -> None:
    if name == "memory":
        if not MEMORY.fullmatch(value) or int(value[:-2]) < MIN_MEMORY:
            raise refuse(f"memory must be at least {MIN_MEMORY}Mi, as a whole number, not {value}.")
        return
    step = {"cpu": 0.25, "nvidia.com/gpu": 1}.get(name)
    if step is None:
        raise refuse(f"The resource {name!r} is neither cpu, memory nor nvidia.com/gpu.")
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value) or not float(value) or float(value) % step:
        raise refuse(f"{name} must be a multiple of {step:g}, not {value}.")


def _merged(container: Mapping[str, Any], override: Mapping[str, Any]) -> Detail:
    found = deepcopy(dict(container))
    for key in ("image", "command", "args"):
        if override.get(key):
            found[key] = override[key]
    check_environment(override.get("env") or [])
    variables = [*(found.get("env") or []), *(override.get("env") or [])]
    kept = {one["name"]: one["value"] for one in variables if one.get("value")}
    found["env"] = [{"name": name, "value": value} for name, value in kept.items()]
    resources = {
        kind: {**(found.get("resources") or {}).get(kind, {}), **values}
        for kind, values in (override.get("resources") or {}).items()
    }
    if resources:
        found["resources"] = {**(found.get("resources") or {}), **resources}
    check_resources(found)
    return found
