"""`manage.py batchexec status`: what is deployed, and how it is."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from batchexec.deploying.environment import DEFAULT_NAME

if TYPE_CHECKING:
    from batchexec.deploying.environment import Environment

HELP = "show what is deployed: stacks, services, queues, the definition's revision"
TITLES = ("WHAT", "NAME", "STATUS", "DETAIL")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--name", default=DEFAULT_NAME, help="the environment; default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(command: BaseCommand, *, name: str, json: bool, **options: Any) -> int:
    """1 if nothing is deployed, or a part of it isn't as it should be."""
    from batchexec.deploying.account import Account
    from batchexec.deploying.environment import Environment, check_name, plain_json
    from jobs.management.terminal import table

    check_name(name)
    environment = Environment(Account.current(), name, lambda text: None)
    parts = found(environment)
    ok = bool(parts) and all(part["ok"] for part in parts)
    if json:
        command.stdout.write(plain_json({"name": name, "ok": ok, "parts": parts}))
    elif parts:
        rows = [[part["what"], part["name"], part["status"], part["detail"]] for part in parts]
        command.stdout.write(table([TITLES, *rows]))
    else:
        account = environment.account
        command.stdout.write(f"Nothing named {name} is deployed in {account.region}.")
    return 0 if ok else 1


def found(environment: Environment) -> list[dict[str, Any]]:
    """Every part of the environment: what it is, its status, and whether that is ok."""
    return [*_stacks(environment), *_queues(environment), *_services(environment)]


def _part(what: str, name: str, status: str, detail: str, ok: bool) -> dict[str, Any]:
    return {"what": what, "name": name, "status": status, "detail": detail, "ok": ok}


def _stacks(environment: Environment) -> list[dict[str, Any]]:
    from batchexec.deploying.stack import USABLE
    from batchexec.deploying.templates import STACKS
    from jobs.management.terminal import moment

    parts = [
        _part(
            "stack",
            stack.name,
            stack.status,
            stack.reason or (moment(stack.updated) if stack.updated else ""),
            stack.status in USABLE,
        )
        for stack in environment.stacks.values()
    ]
    # A deployment ended before it came to them. A network may be the user's own.
    missing = [one for one in STACKS if one not in environment.stacks and one != "network"]
    if parts:
        parts += [
            _part("stack", environment.stack_name(one), "MISSING", "deploy makes it", False)
            for one in missing
        ]
    return parts


def _queues(environment: Environment) -> list[dict[str, Any]]:
    stack = environment.stacks.get("batch")
    if stack is None:
        return []
    batch = environment.account.client("batch")
    arns = [value for name, value in stack.outputs.items() if name.endswith("QueueArn")]
    queues = batch.describe_job_queues(jobQueues=arns)["jobQueues"]
    parts = [
        _part(
            "queue",
            queue["jobQueueName"],
            f"{queue['state']} {queue.get('status', '')}".strip(),
            str(queue.get("statusReason") or ""),
            queue["state"] == "ENABLED" and queue.get("status", "VALID") == "VALID",
        )
        for queue in queues
    ]
    arns = [stack.outputs[name] for name in ("JobDefinition",) if name in stack.outputs]
    for definition in batch.describe_job_definitions(jobDefinitions=arns)["jobDefinitions"]:
        image = definition.get("containerProperties", {}).get("image", "")
        name = f"{definition['jobDefinitionName']}:{definition['revision']}"
        status = definition.get("status", "ACTIVE")
        parts.append(_part("definition", name, status, image, status == "ACTIVE"))
    return parts


def _services(environment: Environment) -> list[dict[str, Any]]:
    stack, base = environment.stacks.get("service"), environment.stacks.get("base")
    if stack is None or base is None:
        return []
    names = [
        stack.outputs[name] for name in ("WorkerService", "WebServiceName") if name in stack.outputs
    ]
    ecs = environment.account.client("ecs")
    answer = ecs.describe_services(cluster=base.outputs["ClusterArn"], services=names)
    return [_service(one) for one in answer["services"]]


def _service(one: dict[str, Any]) -> dict[str, Any]:
    running, desired = one.get("runningCount", 0), one.get("desiredCount", 0)
    deployment: dict[str, Any] = next(iter(one.get("deployments") or ()), {})
    state = str(deployment.get("rolloutState") or "")
    detail = str(deployment.get("rolloutStateReason") or "") or next(
        (str(event["message"]) for event in one.get("events") or ()), ""
    )
    ok = running >= desired and state != "FAILED"
    status = f"{running} of {desired} running"
    return _part("service", one["serviceName"], status, f"{state} {detail}".strip(), ok)
