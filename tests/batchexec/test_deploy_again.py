"""Deployments after the first one, after one that failed, and beside another one."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from moto.cloudformation.models import CloudFormationBackend, cloudformation_backends
from moto.ecs.models import Container

from batchexec.deploying import templates, words
from batchexec.deploying.formation import ChangeSet, Formation
from batchexec.deploying.secrets import Secrets
from tests.batchexec.deployments import LEFT_OUT, Account, account, call
from tests.processes import processes, wait_for

pytestmark = LEFT_OUT

CHOSEN = ("--env", "JOBS_LEASE=30", "--env", "LOG_LEVEL=WARNING")
STACKS = ["roles", "base", "batch", "service", "alarms"]


@pytest.fixture(scope="module")
def deployed(
    tmp_path_factory: pytest.TempPathFactory, _boto3_reads_its_files_once: None
) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("account")) as made:
        made.deploy("--image", made.image(), *made.network(), *CHOSEN)
        yield made


def stack(of: Account, name: str) -> Any:
    """moto's own object, for the states that moto never comes to by itself."""
    backend = cloudformation_backends[of.server._cloud.account]["us-east-1"]
    return next(one for one in backend.stacks.values() if one.name == f"shop-{name}")


def revisions(of: Account) -> list[int]:
    found = of.client("batch").describe_job_definitions(jobDefinitionName="shop")
    return sorted(one["revision"] for one in found["jobDefinitions"])


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


def test_a_second_run_changes_nothing_and_keeps_what_was_chosen(deployed: Account) -> None:
    deployed.deploy("--worker-count", "3")
    said = deployed.deploy()
    assert [line for line in said.splitlines() if "nothing changes" in line] == [
        f"shop-{name}: nothing changes" for name in STACKS
    ]
    services = deployed.client("ecs").describe_services(cluster="shop", services=["shop-worker"])
    assert services["services"][0]["desiredCount"] == 3
    variables = deployed.container("shop-worker")["environment"]
    assert {"name": "LOG_LEVEL", "value": "WARNING"} in variables


def test_a_dry_run_says_what_would_change_and_changes_nothing(deployed: Account) -> None:
    before = deployed.client("cloudformation").describe_stacks()["Stacks"]
    said = deployed.deploy("--dry-run", "--worker-count", "7", "--env", "JOBS_LEASE=45")
    assert "shop-service: would be changed" in said
    assert "changes Worker" in said
    assert "shop-roles: nothing changes" in said
    assert said.endswith("Nothing was changed.\n")
    assert deployed.client("cloudformation").describe_stacks()["Stacks"] == before


def test_a_change_is_said_in_words_with_what_it_means() -> None:
    detail = {"Target": {"Attribute": "Properties", "Name": "Subnets"}}
    change = {
        "Action": "Modify",
        "Replacement": "True",
        "LogicalResourceId": "Fargate",
        "ResourceType": "AWS::Batch::ComputeEnvironment",
        "Details": [detail, detail, {}],
    }
    plan = ChangeSet("id", "shop-batch", False, [{"ResourceChange": change}, {}])
    assert next(lines := words.lines(plan)) == "shop-batch: would be changed"
    assert next(lines) == (
        "  replaces Fargate (AWS::Batch::ComputeEnvironment), because of Subnets: "
        "jobs that run in it are ended, and tried again"
    )


def test_a_new_release_has_a_revision_of_its_own_and_leaves_the_one_before(
    deployed: Account,
) -> None:
    before = revisions(deployed)
    said = deployed.deploy("--image", deployed.image("release"), "--env", "JOBS_LEASE=")
    lines = said.splitlines()
    order = [
        "shop-base: is changed",
        "migrate: runs `manage.py migrate` with the new image",
        "shop-batch: is changed",
        "shop-service: is changed",
    ]
    assert [line for line in lines if line in order] == order
    assert revisions(deployed) == [*before, before[-1] + 1]
    told = {one["name"]: one["value"] for one in deployed.container("shop-worker")["environment"]}
    assert told["BATCHEXEC_JOB_DEFINITION"].endswith(f":{before[-1] + 1}")
    assert "JOBS_LEASE" not in told


def test_a_migration_that_fails_leaves_the_release_as_it_was(
    deployed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, container = revisions(deployed), deployed.container("shop-worker")
    original = Container.__init__

    def fails(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        self.exitCode = 1

    monkeypatch.setattr(Container, "__init__", fails)
    image = deployed.image("bad migration")
    with pytest.raises(CommandError, match=r"migration failed .*The running release is still in"):
        deployed.deploy("--image", image)
    assert (revisions(deployed), deployed.container("shop-worker")) == (before, container)
    monkeypatch.undo()
    # The stack is changed already, and yet the migration isn't left out.
    monkeypatch.setattr("batchexec.deploying.migration.PAUSE", 0.01)
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION"):
        assert name in os.environ
    assert "migrate: runs" in deployed.deploy("--image", image)


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


def test_a_stack_of_somebody_elses_is_neither_changed_nor_deleted(deployed: Account) -> None:
    cloudformation = deployed.client("cloudformation")
    body = '{"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup"}}}'
    cloudformation.create_stack(StackName="other-base", TemplateBody=body)
    for action in (["deploy", "--image", deployed.image()], ["destroy", "--yes"]):
        more = ["--database-url-file", str(deployed.url_file), *deployed.network()]
        with pytest.raises(CommandError, match="The stack other-base wasn't made by this command"):
            call(*action, "--name", "other", *(more if action[0] == "deploy" else []))
    assert cloudformation.describe_stacks(StackName="other-base")["Stacks"][0]["StackStatus"] == (
        "CREATE_COMPLETE"
    )


def test_what_cannot_be_changed_later_is_refused_at_once(deployed: Account) -> None:
    other = ["--vpc-id", "vpc-12345678", "--subnets", "subnet-12345678"]
    with pytest.raises(CommandError, match="does not exist"):
        deployed.deploy(*other)
    with pytest.raises(CommandError, match="--fair-share is 'false', and AWS Batch neither"):
        deployed.deploy("--fair-share", "true")


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
            finish.wait(60)
            original(backend, change_set_name, stack_name)

        threading.Thread(target=work, daemon=True).start()
        begun.set()
        return None

    monkeypatch.setattr(CloudFormationBackend, "execute_change_set", slowly)
    options = ("--name", "shop", "--worker-count", "5", "--env", "JOBS_LEASE=50")
    with processes(tmp_path) as start:
        victim = start("batchexec", "deploy", *options)
        assert begun.wait(60), victim.output
        victim.kill()
        # Another one doesn't get in its way.
        with pytest.raises(CommandError, match="Another deployment is changing the stack shop-se"):
            deployed.deploy("--worker-count", "6")
        heir = start("batchexec", "deploy", *options)
        wait_for(lambda: "waits for the change that was begun before" in heir.output)
        finish.set()
        assert heir.wait(60) == 0, heir.output
        assert "Done." in heir.output
    services = deployed.client("ecs").describe_services(cluster="shop", services=["shop-worker"])
    assert services["services"][0]["desiredCount"] == 5


@pytest.mark.usefixtures("_boto3_reads_its_files_once")
def test_destroy_asks_and_keeps_data_unless_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with account(tmp_path) as made:
        made.deploy("--image", made.image(), *made.network(), "--no-migrate")
        stacks = made.stacks()
        assert len(stacks) == 6
        with pytest.raises(CommandError, match=r"add --yes if you mean it\. Nothing was"):
            call("destroy", "--name", "shop")
        assert made.stacks() == stacks
        assert "5 stacks of shop" in capsys.readouterr().out
        said = call("destroy", "--name", "shop", "--yes")
        assert "Kept: the secrets shop/database-url, shop/secret-key" in said
        assert made.stacks() == ["shop-registry"]
        assert made.image()
        kept = made.client("secretsmanager").list_secrets()["SecretList"]
        assert len(kept) == 2
        said = call("destroy", "--name", "shop", "--yes", "--secrets", "--images", "shop")
        assert "shop/secret-key: is deleted in 30 days" in said
        assert made.stacks() == []
        assert made.client("ecr").describe_repositories()["repositories"] == []
        assert call("destroy", "--name", "shop") == (
            "Nothing named shop is deployed in us-east-1.\n"
        )
        # Until then, another deployment takes them back.
        again = Secrets(made.client("secretsmanager"), "shop")
        assert again.find("secret-key") is None
        assert again.secret_key() == again.find("secret-key")


def test_push_runs_docker_and_prints_the_next_command(
    deployed: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "record"
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" >> {record}\nexit ${{DOCKER_EXIT:-0}}\n')
    docker.chmod(docker.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    image = deployed.image("tagged")
    options = ["--repository", "shop", "--tag", "tagged", "--architecture", "ARM64"]
    said = call("push", *options, "--run")
    login, build = record.read_text().splitlines()
    assert login.startswith("login --username AWS --password-stdin ")
    assert "--platform linux/arm64 --provenance=false" in build
    assert build.endswith("/shop:tagged --push .")
    assert f"manage.py batchexec deploy --image {image} --architecture ARM64" in said
    monkeypatch.setenv("DOCKER_EXIT", "17")
    with pytest.raises(CommandError, match="failed with exit code 17: see above"):
        call("push", *options, "--run")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(CommandError, match="Docker isn't installed here"):
        call("push", *options, "--run")
