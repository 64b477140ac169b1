"""Each role has the rights that its code uses, and no other: both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from batchexec.aws.client import BatchClient
from batchexec.aws.logs import ContainerLog
from batchexec.deploying.account import Account as Deploying
from jobs.operator.elsewhere import NotYet
from tests.batchexec.deployments import LEFT_OUT, Account, account_deployed_from_ci, call
from tests.processes import wait_for

pytestmark = LEFT_OUT

ANYTHING = {"Effect": "Allow", "Action": "batch:*", "Resource": "*"}
#: What a new release changes, and what CloudFormation does to that.
RELEASED = {
    "AWS::Batch::JobDefinition": ("update",),
    "AWS::ECS::TaskDefinition": ("create", "delete"),
    "AWS::ECS::Service": ("update",),
    "AWS::Events::Rule": ("update",),
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account_deployed_from_ci(tmp_path_factory.mktemp("account")) as made:
        yield made


def allowed(of: Account, role: str) -> set[str]:
    found: set[str] = set()
    for statement in of.policy(of.outputs("roles")[role])["Statement"]:
        actions = statement["Action"]
        found |= {actions} if isinstance(actions, str) else set(actions)
    return found


def test_every_call_that_the_worker_can_make_is_in_its_policy_and_no_other(
    deployed: Account,
) -> None:
    made: set[str] = set()
    client = BatchClient()
    for one in (client._once, client._often):
        one.meta.events.register(
            "before-call.batch", lambda model, **event: made.add(f"batch:{model.name}")
        )
    override = {"command": ["true"]}
    request = {"jobName": "a", "jobQueue": "shop", "jobDefinition": "shop"}
    batch_job = client.submit({**request, "containerOverrides": override})
    calls: dict[str, Callable[[], object]] = {
        "submit": lambda: batch_job,
        "describe": lambda: client.describe([batch_job]),
        "describe_one": lambda: client.describe_one(batch_job),
        "find": lambda: client.find("shop", "a"),
        "find_all": lambda: client.find_all("shop", "a"),
        "terminate": lambda: client.terminate(batch_job, "x"),
        "cancel": lambda: client.cancel(batch_job, "x"),
        "queues": lambda: client.queues("shop"),
        "compute_environments": lambda: client.compute_environments(["x"]),
        "definition_revisions": lambda: client.definition_revisions("shop"),
        "definition": lambda: client.definition("shop:1"),
    }
    assert set(calls) == {name for name in vars(BatchClient) if not name.startswith("_")}
    for make in calls.values():
        make()
    # A submission with tags makes no call of its own, but needs the right.
    made.add("batch:TagResource")
    assert made == allowed(deployed, "WorkerRoleArn")


def test_every_call_that_the_web_server_makes_is_in_its_policy_and_no_other(
    deployed: Account,
) -> None:
    client = deployed.client("batch")
    job = client.submit_job(
        jobName="a",
        jobQueue="shop",
        jobDefinition="shop",
        containerOverrides={"command": ["echo", "hello"]},
    )["jobId"]
    deployed.server.enforce(deployed.policy(deployed.outputs("roles")["WebRoleArn"]))
    try:
        deployed.server.reset_calls()
        log = ContainerLog(job)

        def said() -> list[str]:
            with suppress(NotYet):
                return log.read(10)
            return []

        wait_for(lambda: said() == ["hello"], what="the log came")
        made = set(deployed.server.calls()["counts"])
    finally:
        deployed.server.enforce({"Version": "2012-10-17", "Statement": ANYTHING})
    assert made == {"DescribeJobs", "GetLogEvents"}
    assert allowed(deployed, "WebRoleArn") == {"batch:DescribeJobs", "logs:GetLogEvents"}


def test_the_deployment_role_can_deploy_a_release(
    deployed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = deployed.image("next")
    made = {"sts:GetCallerIdentity"}
    original = Deploying.client

    def client(self: Deploying, service: str) -> Any:
        found = original(self, service)
        found.meta.events.register(
            "before-call", lambda model, **event: made.add(f"{service}:{model.name}")
        )
        return found

    monkeypatch.setattr(Deploying, "client", client)
    # As CI does, which has no database URL.
    call("deploy", "--name", "shop", "--image", image)
    call("deploy", "--name", "shop", "--restart")
    assert {"cloudformation:ExecuteChangeSet", "ecs:RunTask", "ecs:UpdateService"} <= made
    rights = allowed(deployed, "DeploymentRoleArn")
    assert made <= rights
    lower = {right.lower() for right in rights}
    for kind, handlers in RELEASED.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        for handler in handlers:
            needed = {one.lower() for one in schema["handlers"][handler]["permissions"]}
            assert needed <= lower, (kind, handler, needed - lower)
