"""Migrates the database by a task of the new image, before anything else uses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from batchexec.aws import answers
from batchexec.aws.boto import exceptions
from batchexec.deploying.account import Account

#: The container of the task that migrates, in `infra/base.yaml`.
CONTAINER = "migrate"
#: Seconds between two looks at the task.
PAUSE = 3.0
#: How often a new account is asked again.
TRIES = 20
#: How many lines of its log are shown if it fails.
LINES = 15


def migrate(
    account: Account,
    *,
    name: str,
    task: str,
    cluster: str,
    subnets: list[str],
    security_group: str,
    public_ip: str,
    say: Callable[[str], None],
) -> None:
    """Runs the task to its end.

    Raises CommandError, with the end of its log, unless it succeeds. The releases that
    run go on with the database as it then is.
    """
    ecs = account.client("ecs")
    say("migrate: runs `manage.py migrate` in the image")
    answer = _started(
        ecs,
        cluster=cluster,
        taskDefinition=task,
        launchType="FARGATE",
        count=1,
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": subnets,
                "securityGroups": [security_group],
                "assignPublicIp": public_ip,
            }
        },
    )
    if not answer.get("tasks"):
        reason = next((one.get("reason") for one in answer.get("failures", ())), "no reason given")
        raise CommandError(f"The migration could not be started: {reason}. Run this again.")
    ended = _ended(ecs, cluster, answer["tasks"][0]["taskArn"])
    # AWS may have put containers of its own beside it, such as GuardDuty's.
    own = [one for one in ended["containers"] if one.get("name") == CONTAINER]
    container: dict[str, Any] = own[0] if own else {}
    if container.get("exitCode") == 0:
        say("  done")
        return
    reason = container.get("reason") or ended.get("stoppedReason") or "no reason given"
    code = container.get("exitCode")
    text = f"The migration failed ({reason}" + (f", exit code {code})" if code else ")")
    log = _log(account, name, ended["taskArn"].rpartition("/")[2])
    raise CommandError(
        f"{text}. The running release is still in use. Mend it, and run this again."
        + "".join(f"\n  {line}" for line in log)
    )


def _started(ecs: Any, **request: Any) -> dict[str, Any]:
    """RunTask, once the role is usable that ECS makes for itself in a new account."""
    for _ in range(TRIES):
        try:
            return dict(ecs.run_task(**request))
        except exceptions.ClientError as error:
            refusal = error
            if "service linked role" not in str(error):
                break
            time.sleep(PAUSE)
    if answers.is_refused(refusal):
        raise CommandError(f"The migration could not be started: {refusal}") from refusal
    raise refusal


def _ended(ecs: Any, cluster: str, task: str) -> dict[str, Any]:
    while True:
        # A task that was only just started may not be shown yet.
        for found in ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"]:
            if found["lastStatus"] == "STOPPED":
                return dict(found)
        time.sleep(PAUSE)


def _log(account: Account, name: str, task: str) -> list[str]:
    """The last lines that it wrote, as far as they can be read."""
    try:
        reply = account.client("logs").get_log_events(
            logGroupName=f"/delayed-jobs/{name}/tasks",
            logStreamName=f"migrate/{CONTAINER}/{task}",
            limit=LINES,
            startFromHead=False,
        )
    except exceptions.ClientError:
        return []
    return [str(event["message"]).rstrip() for event in reply["events"]]
