"""A job definition's revision, as far as a submission depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchexec.sizes import EC2, EKS, FARGATE, NOTHING, Sizes

#: How a definition describes its container, which says how a submission overrides it.
CONTAINER_PROPERTIES, ECS_PROPERTIES, EKS_PROPERTIES = "container", "ecs", "eks"
#: The name of a container on EKS that is given none. Source: AWS Batch API,
#: EksContainer.
DEFAULT_NAME = "Default"
#: The capability of a definition that names none. Source: AWS Batch API, JobDefinition.
DEFAULT_CAPABILITIES = ("EC2",)
#: A definition's capability that serves a queue of EC2's kind, too.
MANAGED = "MANAGED_INSTANCES"


@dataclass(frozen=True)
class Definition:
    """`pinned` is what is submitted: name or ARN, with the revision."""

    pinned: str
    kind: str = CONTAINER_PROPERTIES
    #: The container that runs the job; containerProperties have only one, without name.
    container: str = ""
    #: Whether the definition sets the container's entry point, on EKS.
    has_command: bool = False
    sizes: Sizes = NOTHING
    capabilities: tuple[str, ...] = DEFAULT_CAPABILITIES
    #: The keys of its tags, if its jobs pass them on to their tasks.
    propagated_tags: frozenset[str] = frozenset()
    #: Why no job can be submitted with it, in a sentence; empty if one can.
    problem: str = ""

    def misfit(self, platform: str) -> str:
        """Why a queue of that platform can't run it; empty if it can."""
        if (platform == EKS) != (self.kind == EKS_PROPERTIES):
            return "it is for EKS" if self.kind == EKS_PROPERTIES else "it is not for EKS"
        if platform == FARGATE and FARGATE not in self.capabilities:
            return "its platformCapabilities lack FARGATE"
        if platform == EC2 and not {EC2, MANAGED} & set(self.capabilities):
            return "its platformCapabilities lack EC2"
        return ""


def definition_of(pinned: str, detail: Mapping[str, Any]) -> Definition:
    """The definition that a JobDefinition describes."""
    common: dict[str, Any] = {
        "pinned": pinned,
        "capabilities": tuple(detail.get("platformCapabilities") or DEFAULT_CAPABILITIES),
        "propagated_tags": frozenset(detail.get("tags") or ())
        if detail.get("propagateTags")
        else frozenset(),
    }
    if detail.get("status", "ACTIVE") != "ACTIVE":
        problem = f"The job definition {pinned!r} is deregistered: name an active revision."
        return Definition(**common, problem=problem)
    if properties := detail.get("containerProperties"):
        return Definition(**common, sizes=_sizes(properties))
    if properties := detail.get("ecsProperties"):
        return _of_ecs(properties, common)
    if properties := detail.get("eksProperties"):
        return _of_eks(properties, common)
    problem = (
        f"The job definition {pinned!r} has no container that a job could run in: "
        "register one with containerProperties, not nodeProperties."
    )
    return Definition(**common, problem=problem)


def _of_ecs(properties: Mapping[str, Any], common: dict[str, Any]) -> Definition:
    containers = [
        container
        for task in properties.get("taskProperties") or ()
        for container in task.get("containers") or ()
        if container.get("essential", True)
    ]
    if len(containers) != 1 or not containers[0].get("name"):
        problem = (
            f"The job definition {common['pinned']!r} has {len(containers)} essential containers: "
            "give it one, with a name, for the job."
        )
        return Definition(**common, problem=problem)
    container = containers[0]
    return Definition(
        **common, kind=ECS_PROPERTIES, container=container["name"], sizes=_sizes(container)
    )


def _of_eks(properties: Mapping[str, Any], common: dict[str, Any]) -> Definition:
    containers: Sequence[Mapping[str, Any]] = (properties.get("podProperties") or {}).get(
        "containers"
    ) or ()
    if len(containers) != 1:
        problem = (
            f"The job definition {common['pinned']!r} has {len(containers)} containers in its pod: "
            "give it one, for the job."
        )
        return Definition(**common, problem=problem)
    (container,) = containers
    return Definition(
        **common,
        kind=EKS_PROPERTIES,
        container=container.get("name") or DEFAULT_NAME,
        has_command=bool(container.get("command")),
        sizes=_sizes_of_eks(container),
    )


def _sizes(container: Mapping[str, Any]) -> Sizes:
    """Of `resourceRequirements`, else of the older members beside them."""
    needs = {
        need.get("type"): need.get("value") for need in container.get("resourceRequirements") or ()
    }
    vcpu, memory = needs.get("VCPU"), needs.get("MEMORY")
    return Sizes(
        _number(vcpu or container.get("vcpus")),
        _whole(memory or container.get("memory")),
        _whole(needs.get("GPU")) or 0,
    )


def _sizes_of_eks(container: Mapping[str, Any]) -> Sizes:
    resources = container.get("resources") or {}
    needs = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    memory = str(needs.get("memory") or "").removesuffix("Mi")
    return Sizes(
        _number(needs.get("cpu")), _whole(memory), _whole(needs.get("nvidia.com/gpu")) or 0
    )


def _number(value: Any) -> float | None:
    try:
        return float(value) or None
    except (TypeError, ValueError):
        return None


def _whole(value: Any) -> int | None:
    found = _number(value)
    return None if found is None else int(found)
