"""Deployments after the first one, and their end."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import Container, EC2ContainerServiceBackend

from batchexec.deploying import words
from batchexec.deploying.formation import ChangeSet
from tests.batchexec.deployments import LEFT_OUT, Account, account, call

pytestmark = LEFT_OUT

CHOSEN = ("--env", "JOBS_LEASE=30", "--env", "LOG_LEVEL=WARNING")
STACKS = ["roles", "base", "batch", "service", "alarms"]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("account")) as made:
        made.deploy("--image", made.image(), *made.network(), *CHOSEN)
        yield made


def revisions(of: Account) -> list[int]:
    found = of.client("batch").describe_job_definitions(jobDefinitionName="shop")
    return sorted(one["revision"] for one in found["jobDefinitions"])


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
    group = deployed.outputs("base")["SecurityGroupId"]
    order = [
        "shop-base: is changed",
        f"The database must let in the security group {group}.",
        "migrate: runs `manage.py migrate` in the image",
        "shop-batch: is changed",
        "shop-service: is changed",
    ]
    assert [line for line in lines if line in order] == order
    assert revisions(deployed) == [*before, before[-1] + 1]
    told = {one["name"]: one["value"] for one in deployed.container("shop-worker")["environment"]}
    assert told["BATCHEXEC_JOB_DEFINITION"].endswith(f":{before[-1] + 1}")
    assert "JOBS_LEASE" not in told


def test_a_new_account_is_given_time_to_make_its_own_role(
    deployed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, refusals = EC2ContainerServiceBackend.run_task, [1, 2]

    def run(self: Any, *arguments: Any, **options: Any) -> Any:
        if refusals:
            refusals.pop()
            raise InvalidParameterException("Unable to assume the service linked role.")
        return original(self, *arguments, **options)

    monkeypatch.setattr(EC2ContainerServiceBackend, "run_task", run)
    assert "Done." in deployed.deploy("--image", deployed.image("new account"))
    assert refusals == []


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


def test_what_cannot_be_changed_later_is_refused_at_once(deployed: Account) -> None:
    other = ["--vpc-id", "vpc-12345678", "--subnets", "subnet-12345678"]
    with pytest.raises(CommandError, match="does not exist"):
        deployed.deploy(*other)
    with pytest.raises(CommandError, match="--fair-share is 'false', and AWS Batch neither"):
        deployed.deploy("--fair-share", "true")


def test_a_first_deployment_that_fails_says_what_is_left_and_how_to_remove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise InvalidParameterException("No capacity.")

    monkeypatch.setattr(EC2ContainerServiceBackend, "run_task", refuse)
    with account(tmp_path) as made:
        with pytest.raises(CommandError, match=r"could not be started: .* No capacity") as error:
            made.deploy("--image", made.image(), *made.network())
        assert "these stacks are there: shop-roles, shop-base. `manage.py" in str(error.value)
        shown = io.StringIO()
        with pytest.raises(SystemExit):
            call_command("batchexec", "status", "--name", "shop", stdout=shown)
        missing = [line.split()[1] for line in shown.getvalue().splitlines() if "MISSING" in line]
        assert missing == ["shop-batch", "shop-service", "shop-alarms"]
        call("destroy", "--name", "shop", "--yes")
        assert made.stacks() == ["shop-registry"]


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
    docker.chmod(0o600)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="`docker` can't be run here: Permission denied"):
        call("push", *options, "--run")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(CommandError, match="Docker isn't installed here"):
        call("push", *options, "--run")
