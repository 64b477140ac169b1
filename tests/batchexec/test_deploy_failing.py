"""Deployments that fail, that are killed, and that meet another one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from django.core.management.base import CommandError
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, cloudformation_backends

from batchexec.deploying import account as here
from batchexec.deploying import templates
from batchexec.deploying.environment import Environment
from batchexec.deploying.formation import Formation
from tests.batchexec.deployments import LEFT_OUT, Account, call, deployed_account
from tests.processes import processes, wait_for

pytestmark = LEFT_OUT


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with deployed_account(tmp_path_factory.mktemp("account")) as made:
        yield made


def stack(of: Account, name: str) -> Any:
    """moto's own object, for the states that moto never comes to by itself."""
    backend = cloudformation_backends[of.server._cloud.account]["us-east-1"]
    return next(one for one in backend.stacks.values() if one.name == f"shop-{name}")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Makes the change of the stack fail whose status, after that, is put in here."""
    ends: dict[str, str] = {}
    original = CloudFormationBackend.execute_change_set
    met: list[str] = []

    def execute(backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = backend.change_sets[change_set_name]
        if change_set.stack.name not in ends:
            return original(backend, change_set_name, stack_name)
        made = change_set.stack
        made.status = ends[change_set.stack.name]
        for name, status, reason in (
            ("Queue", "CREATE_FAILED", "The quota of job queues is reached"),
            ("Definition", "CREATE_FAILED", "Resource creation cancelled"),
        ):
            made._add_stack_event(status, reason)
            made.events[-1].logical_resource_id = name
            made.events[-1].resource_type = f"AWS::Batch::{name}"
        met.append(change_set.stack.name)
        return None

    monkeypatch.setattr(CloudFormationBackend, "execute_change_set", execute)
    yield ends
    assert set(met) == set(ends)


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        ("DELETE_COMPLETE", "What it had made is removed again."),
        ("ROLLBACK_COMPLETE", "What it had made is removed again."),
        ("UPDATE_ROLLBACK_COMPLETE", "It is as it was before."),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback"),
        ("UPDATE_FAILED", "aws cloudformation rollback-stack"),
        ("ROLLBACK_FAILED", "aws cloudformation delete-stack"),
        ("CREATE_FAILED", "aws cloudformation delete-stack"),
    ],
)
def test_a_change_that_fails_names_the_first_resource_and_what_is_left(
    deployed: Account, failing: dict[str, str], status: str, cure: str
) -> None:
    failing["shop-batch"] = status
    batch = stack(deployed, "batch")
    before, events = batch.status, len(batch.events)
    stacks = Formation(deployed.client("cloudformation"), print, "x")
    values = {**stacks.look("shop-batch").parameters, "MaxVcpus": "17"}
    try:
        plan = stacks.plan("shop-batch", templates.text("batch"), values)
        with pytest.raises(CommandError) as error:
            stacks.apply(plan)
    finally:
        batch.status = before
        del batch.events[events:]
    text = str(error.value)
    assert "Queue (AWS::Batch::Queue): The quota of job queues is reached." in text
    assert "cancelled" not in text
    assert cure in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("UPDATE_ROLLBACK_FAILED", "is in UPDATE_ROLLBACK_FAILED: go on with its rollback by"),
        ("ROLLBACK_FAILED", "is in ROLLBACK_FAILED: delete it by"),
        ("DELETE_FAILED", "is in DELETE_FAILED: delete it by"),
        ("UPDATE_IN_PROGRESS", "Another deployment is changing the stack shop-batch"),
        ("DELETE_IN_PROGRESS", "Another deployment is changing the stack shop-batch"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_a_sentence_with_its_cure(
    deployed: Account, status: str, message: str
) -> None:
    batch = stack(deployed, "batch")
    before, batch.status = batch.status, status
    try:
        stacks = Formation(deployed.client("cloudformation"), print, "x")
        with pytest.raises(CommandError) as error:
            stacks.ready("shop-batch")
        assert message in str(error.value)
        assert status in stacks.obstacle("shop-batch")
        assert batch.status == status
    finally:
        batch.status = before


def test_a_stack_whose_making_failed_is_made_anew(deployed: Account) -> None:
    old = stack(deployed, "alarms")
    old.status = "ROLLBACK_COMPLETE"
    said = deployed.deploy()
    assert "shop-alarms: removes what an attempt that failed has left, which is empty" in said
    assert "shop-alarms: is made" in said
    assert stack(deployed, "alarms").stack_id != old.stack_id


def test_what_a_run_has_left_that_was_killed_before_its_change_set_was_executed_is_removed(
    deployed: Account,
) -> None:
    formation = Environment(here.Account.current(), "late", print, "killed").formation
    formation.plan("late-registry", templates.text("registry"), {"Repository": "late"})
    said = call("push", "--repository", "late")
    assert "late-registry: removes what an attempt that was killed has left" in said
    assert "late-registry: is" not in call("push", "--repository", "late")
    states = [
        one["StackStatus"]
        for one in deployed.client("cloudformation").describe_stacks()["Stacks"]
        if one["StackName"] == "late-registry"
    ]
    assert states == ["CREATE_COMPLETE"]


def test_a_stack_of_somebody_elses_is_neither_changed_nor_deleted(deployed: Account) -> None:
    cloudformation = deployed.client("cloudformation")
    body = '{"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup"}}}'
    tags = [{"Key": "delayed-jobs", "Value": "other"}]
    cloudformation.create_stack(StackName="other-base", TemplateBody=body)
    cloudformation.create_stack(StackName="other-alarms", TemplateBody=body, Tags=tags)
    for action in (["deploy", "--image", deployed.image()], ["destroy", "--yes"]):
        more = ["--database-url-file", str(deployed.url_file), *deployed.network()]
        with pytest.raises(CommandError, match="The stack other-base wasn't made by this command"):
            call(*action, "--name", "other", *(more if action[0] == "deploy" else []))
    assert cloudformation.describe_stacks(StackName="other-base")["Stacks"][0]["StackStatus"] == (
        "CREATE_COMPLETE"
    )


@pytest.mark.parametrize(("code", "status"), [("Throttling", 400), ("InternalFailure", 500)])
def test_what_passes_is_said_with_what_is_left(
    deployed: Account, monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    refused = Mock(side_effect=ClientError(answer, "DescribeStacks"))
    monkeypatch.setattr(Formation, "ready", refused)
    with pytest.raises(CommandError, match=r"AWS doesn't do this now: .*Run this again later"):
        deployed.deploy()
    assert refused.called


def test_of_two_deployments_the_one_that_comes_too_late_says_so(
    deployed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise ValidationError(
            message="Stack is in UPDATE_IN_PROGRESS state and can not be updated."
        )

    monkeypatch.setattr(CloudFormationBackend, "execute_change_set", refuse)
    with pytest.raises(CommandError, match=r"another deployment changes it: .* and run this again"):
        deployed.deploy("--env", "JOBS_LEASE=44")


def test_a_deployment_that_is_killed_goes_on_where_it_was(
    deployed: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, finish = threading.Event(), threading.Event()
    original = CloudFormationBackend.execute_change_set

    def slowly(backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = backend.change_sets[change_set_name]
        if change_set.stack.name != "shop-service":
            return original(backend, change_set_name, stack_name)
        change_set.stack.status = "UPDATE_IN_PROGRESS"
        change_set.stack.change_set_id = change_set_name

        def work() -> None:
            finish.wait(600)
            original(backend, change_set_name, stack_name)

        threading.Thread(target=work, daemon=True).start()
        begun.set()
        return None

    monkeypatch.setattr(CloudFormationBackend, "execute_change_set", slowly)
    options = ("--name", "shop", "--worker-count", "5", "--env", "JOBS_LEASE=50")
    with processes(tmp_path) as start:
        victim = start("batchexec", "deploy", *options)
        assert begun.wait(120), victim.output
        victim.kill()
        # Another one doesn't get in its way.
        with pytest.raises(CommandError, match="Another deployment is changing the stack shop-se"):
            deployed.deploy("--worker-count", "6")
        heir = start("batchexec", "deploy", *options)
        wait_for(lambda: "waits for the change that was begun before" in heir.output)
        finish.set()
        assert heir.wait() == 0, heir.output
        assert "Done." in heir.output
    services = deployed.client("ecs").describe_services(cluster="shop", services=["shop-worker"])
    assert services["services"][0]["desiredCount"] == 5
