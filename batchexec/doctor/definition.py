"""The job definition: whether AWS Batch can make containers from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchexec.aws.console import DEFAULT_LOG_GROUP
from batchexec.aws.definitions import ECS_PROPERTIES
from batchexec.aws.placement import misfit, platform_of
from batchexec.aws.request import MARGIN
from batchexec.conf import settings
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.findings import Finding, fault, member, ok, warning
from batchexec.sizes import FARGATE
from jobs.conf import settings as jobs_settings

#: Seconds between TERM and KILL, unless the definition says otherwise. Source: ECS.
STOP_TIMEOUT = 30
#: What recording an interrupted job may take, in seconds: fewer are too few.
LEAST_STOP_TIMEOUT = 10


def definition(deployment: Deployment) -> Iterator[Finding]:
    found = deployment.definition()
    if found.problem:
        yield fault(
            found.problem,
            "make it (manage.py batchexec deploy), or name an active one in "
            "BATCHEXEC_JOB_DEFINITION.",
        )
        return
    if text := misfit(deployment.queue(), found):
        if not deployment.queue().problem:
            yield fault(text, "set platformCapabilities of the definition, or another queue.")
        return
    sizes = found.sizes
    yield ok(
        f"The job definition {found.pinned} is active and fits the queue: "
        f"{sizes.vcpu or '?'} vCPU, {sizes.memory or '?'} MiB."
    )
    on_fargate = platform_of(deployment.queue(), found) == FARGATE
    if on_fargate and not (sizes.vcpu and sizes.memory):
        yield fault(
            f"The job definition {found.pinned} lacks a size, which Fargate needs.",
            "give it VCPU and MEMORY in resourceRequirements.",
        )


def command(deployment: Deployment) -> Iterator[Finding]:
    """A submission replaces it, so only what comes before it can be wrong."""
    container = deployment.container()
    if entry := container.get("entryPoint"):
        yield warning(
            f"The container has the entry point {entry}, which runs before "
            f"{' '.join(settings.COMMAND)}.",
            "leave entryPoint out of the definition, unless it ends by exec.",
        )
    if not member(container, "linuxParameters").get("initProcessEnabled"):
        yield warning(
            "The container has no init process, so children that a job leaves are not reaped.",
            "set linuxParameters.initProcessEnabled to true.",
        )
    if container.get("privileged"):
        yield warning("The container is privileged.", "set privileged to false.")
    yield ok(f"Jobs run as `{' '.join(settings.COMMAND)} <id>`.")


def timeouts(deployment: Deployment) -> Iterator[Finding]:
    """From the inside out: `max_run_time`, AWS Batch's timeout."""
    longest = float(jobs_settings.MAX_RUN_TIME)
    detail = deployment.definition_detail()
    found = member(detail, "timeout").get("attemptDurationSeconds")
    if not isinstance(found, (int, float)):
        yield ok("The definition has no timeout; each submission sets one.")
    elif found < longest + MARGIN:
        yield warning(
            f"The definition's timeout of {found:g} s ends before MAX_RUN_TIME ({longest:g} s) "
            f"and {MARGIN} s. A submission replaces it; what is started by hand it kills.",
            f"set attemptDurationSeconds to {longest + MARGIN:g}.",
        )
    else:
        yield ok(f"The definition's timeout of {found:g} s leaves room for MAX_RUN_TIME.")
    attempts = member(detail, "retryStrategy").get("attempts")
    if isinstance(attempts, int) and attempts > 1:
        yield warning(
            f"The definition has {attempts} attempts, which each submission replaces: "
            "retries are the queue's.",
            "set retryStrategy.attempts to 1.",
        )
    yield from _stop_timeout(deployment)


def _stop_timeout(deployment: Deployment) -> Iterator[Finding]:
    if deployment.definition().kind != ECS_PROPERTIES:
        yield ok(f"A job has {STOP_TIMEOUT} s to end after TERM, as ECS has it.")
        return
    found = deployment.container().get("stopTimeout", STOP_TIMEOUT)
    if not isinstance(found, (int, float)) or found < LEAST_STOP_TIMEOUT:
        yield warning(
            f"A job has {found} s to end after TERM, too few to record that it was interrupted.",
            f"set stopTimeout to {STOP_TIMEOUT} or more.",
        )
    else:
        yield ok(f"A job has {found:g} s to end after TERM.")


def log_group(deployment: Deployment) -> Iterator[Finding]:
    """Without its log group, a container doesn't start."""
    configuration = member(deployment.container(), "logConfiguration")
    driver = configuration.get("logDriver", "awslogs")
    if driver != "awslogs":
        yield warning(
            f"The container logs by {driver}, which `jobs logs` can't read.",
            "set logDriver to awslogs.",
        )
        return
    options = member(configuration, "options")
    name = log_group_of(deployment.container())
    if options.get("awslogs-region") not in (None, deployment.region):
        yield warning(
            f"The container logs in the region {options['awslogs-region']}, where `jobs logs` "
            "doesn't look.",
            f"set awslogs-region to {deployment.region}.",
        )
        return
    found = _group(deployment, name)
    if found is None and options.get("awslogs-create-group") == "true":
        yield ok(f"The log group {name} is made by the first container.")
    elif found is None and name == DEFAULT_LOG_GROUP:
        yield ok(f"The log group {name} is made by AWS Batch.")
    elif found is None:
        yield fault(
            f"The log group {name} doesn't exist, so containers don't start "
            "(ResourceInitializationError, CannotStartContainerError).",
            f"aws logs create-log-group --log-group-name {name}",
        )
    elif not found.get("retentionInDays"):
        yield warning(
            f"The log group {name} keeps logs for ever.",
            f"aws logs put-retention-policy --log-group-name {name} --retention-in-days 30",
        )
    else:
        yield ok(f"The log group {name} exists and keeps logs {found['retentionInDays']} days.")


def log_group_of(container: dict[str, Any]) -> str:
    """The group that the container's log goes to; empty if it goes elsewhere."""
    configuration = member(container, "logConfiguration")
    if configuration.get("logDriver", "awslogs") != "awslogs":
        return ""
    return str(member(configuration, "options").get("awslogs-group") or DEFAULT_LOG_GROUP)


def _group(deployment: Deployment, name: str) -> dict[str, Any] | None:
    pages = deployment.client("logs").get_paginator("describe_log_groups")
    for page in pages.paginate(logGroupNamePrefix=name):
        for group in page.get("logGroups") or ():
            if group.get("logGroupName") == name:
                return dict(group)
    return None
