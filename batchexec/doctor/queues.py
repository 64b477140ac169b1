"""The job queue and its compute environments: whether jobs can start there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchexec.aws.placement import share_missing
from batchexec.conf import settings
from batchexec.doctor.asked import asked
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.findings import Finding, fault, member, ok, warning
from batchexec.resources import Resources

#: Vcpus that nobody asked for: of what isn't a number.
NONE = 0.0


def queue(deployment: Deployment) -> Iterator[Finding]:
    name, found = settings.JOB_QUEUE, deployment.queue()
    if found.problem:
        yield fault(
            f"{found.problem} (in {deployment.region})",
            "make it (manage.py batchexec deploy), or set BATCHEXEC_JOB_QUEUE and AWS_REGION to "
            "where it is; if it is disabled, aws batch update-job-queue --state ENABLED.",
        )
        return
    detail = deployment.queue_detail()
    state, status = detail.get("state"), detail.get("status")
    yield ok(f"The job queue {name} is {state} and {status}, of the platform {found.platform}.")
    if found.platform and found.platform != settings.PLATFORM:
        yield warning(
            f"The job queue {name} is of the platform {found.platform}, and BATCHEXEC_PLATFORM "
            f"says {settings.PLATFORM}, by which sizes are checked when jobs are enqueued.",
            f"set BATCHEXEC_PLATFORM={found.platform}.",
        )
    if text := share_missing(found, Resources()):
        yield warning(text, "set BATCHEXEC_SHARE_IDENTIFIER.")


def environments(deployment: Deployment) -> Iterator[Finding]:
    found = deployment.environments()
    usable = [one for one in found if _is_usable(one)]
    for one in found:
        name, state, status = (
            one.get(key) for key in ("computeEnvironmentName", "state", "status")
        )
        kind = member(one, "computeResources").get("type") or one.get("type")
        text = f"The compute environment {name} ({kind}) is {state} and {status}"
        if one in usable:
            yield ok(f"{text}.")
            continue
        why = f": {one['statusReason']}" if one.get("statusReason") else "."
        # Where others can run the jobs, they do.
        found_wrong = warning if usable else fault
        yield found_wrong(f"{text}{why}", _cure(one))
    if not found:
        yield fault(
            f"The job queue {settings.JOB_QUEUE} has no compute environment that exists, "
            "so its jobs stay RUNNABLE.",
            "give it one: aws batch update-job-queue --compute-environment-order.",
        )


def room(deployment: Deployment) -> Iterator[Finding]:
    """Whether the largest job that a class asks for fits an environment."""
    usable = [one for one in deployment.environments() if _is_usable(one)]
    limits = [_vcpus(member(one, "computeResources").get("maxvCpus")) for one in usable]
    largest = max(limits, default=NONE)
    if not largest:  # UNMANAGED and EKS's don't say
        return
    for who, vcpu in asked(deployment.definition()):
        if vcpu > largest:
            yield fault(
                f"{who} asks for {vcpu:g} vCPU, and no compute environment of the job queue has "
                f"more than {largest:g}, so it stays RUNNABLE.",
                f"raise maxvCpus to {vcpu:g} or more, or ask for less.",
            )
            return
    yield ok(f"The compute environments have {sum(limits):g} vCPU, {largest:g} in one.")


def _is_usable(environment: dict[str, Any]) -> bool:
    return environment.get("state") == "ENABLED" and environment.get("status") == "VALID"


def _cure(environment: dict[str, Any]) -> str:
    if environment.get("state") != "ENABLED":
        return "enable it: aws batch update-compute-environment --state ENABLED."
    return "mend what the reason names: its subnets, security groups, or service role."


def _vcpus(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return NONE
