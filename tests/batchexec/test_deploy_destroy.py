"""The end of a deployment, and what comes after it."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from django.core.management import call_command
from django.core.management.base import CommandError
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend

from batchexec.deploying.secrets import Secrets
from tests.batchexec.deployments import LEFT_OUT, account, call, deployed_account

pytestmark = LEFT_OUT


def test_destroy_asks_and_keeps_data_unless_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with account(tmp_path) as made:
        made.deploy("--image", made.image(), "--no-migrate")
        stacks = made.stacks()
        assert len(stacks) == 7
        with pytest.raises(CommandError, match=r"add --yes if you mean it\. Nothing was"):
            call("destroy", "--name", "shop")
        assert made.stacks() == stacks
        assert "6 stacks of shop" in capsys.readouterr().out
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", Mock(side_effect=EOFError))
        with pytest.raises(CommandError, match="Nothing was removed"):
            call("destroy", "--name", "shop")
        with monkeypatch.context() as closed:
            closed.setattr(sys, "stdin", None)
            with pytest.raises(CommandError, match="Nobody can answer here"):
                call("destroy", "--name", "shop")
        with pytest.raises(CommandError, match="--images has 2 to 200"):
            call("destroy", "--name", "shop", "--yes", "--images", "")
        monkeypatch.setattr("builtins.input", lambda question: "yes")
        with pytest.raises(CommandError, match="Nothing was removed"):
            call("destroy", "--name", "shop")
        assert made.stacks() == stacks
        monkeypatch.setattr("builtins.input", lambda question: "shop")
        said = call("destroy", "--name", "shop")
        for name in ("alarms", "service", "batch", "base", "roles", "network"):
            begun, done = f"shop-{name}: is being removed\n", f"shop-{name}: removed\n"
            assert 0 <= said.index(begun) < said.index(done)
        assert "Kept: the secrets shop/database-url, shop/secret-key" in said
        assert made.stacks() == ["shop-registry"]
        assert made.image()
        kept = made.client("secretsmanager").list_secrets()["SecretList"]
        assert len(kept) == 2
        said = call("destroy", "--name", "shop", "--yes", "--secrets", "--images", "shop")
        assert "shop/secret-key: is deleted in 30 days" in said
        assert made.stacks() == []
        assert made.client("ecr").describe_repositories()["repositories"] == []
        said = call("destroy", "--name", "shop", "--yes", "--images", "nothing")
        assert said == "nothing: there is no such repository\n"
        assert call("destroy", "--name", "shop") == (
            "Nothing named shop is deployed in us-east-1.\n"
        )
        # Until then, another deployment takes them back.
        again = Secrets(made.client("secretsmanager"), "shop")
        assert again.find("secret-key") is None
        assert again.secret_key() == again.find("secret-key")


def test_every_revision_of_the_environments_job_definitions_is_deregistered_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with account(tmp_path) as made:
        network = made.network()
        for content in ("one", "two", "three"):
            image = made.image(content)
            made.deploy("--image", image, *network, "--machines", "g5.xlarge", "--no-migrate")
            network = []
        batch = made.client("batch")
        somebody_elses = [
            batch.register_job_definition(
                jobDefinitionName=name,
                type="container",
                containerProperties={
                    "image": "x",
                    "resourceRequirements": [
                        {"type": "VCPU", "value": "1"},
                        {"type": "MEMORY", "value": "512"},
                    ],
                },
                platformCapabilities=["EC2"],
            )["jobDefinitionArn"]
            for name in ("shop", "shop-machines", "shop-two")
        ]

        def active() -> list[str]:
            found = batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
            return [one["jobDefinitionArn"] for one in found]

        before = active()
        assert len(before) == 6 + len(somebody_elses)
        with pytest.raises(CommandError, match="Nothing was removed"):
            call("destroy", "--name", "shop")
        assert "\n  6 revisions of its job definitions\n" in capsys.readouterr().out
        assert active() == before

        met = []

        def refuse(*arguments: Any) -> None:
            met.append(arguments)
            answer = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized."}}
            raise ClientError(answer, "DeregisterJobDefinition")

        with monkeypatch.context() as patch:
            patch.setattr("batchexec.deploying.revisions.deregister", refuse)
            with pytest.raises(CommandError) as error:
                call("destroy", "--name", "shop", "--yes")
        assert met
        assert str(error.value).startswith(
            "The revisions of the job definitions of shop could not be deleted: not authorized."
        )
        # Those that CloudFormation leaves are found without a stack, too.
        assert len(active()) == 4 + len(somebody_elses)
        said = call("destroy", "--name", "shop", "--yes")
        assert "shop: the revisions of its job definitions are deregistered" in said
        assert sorted(active()) == sorted(somebody_elses)


def test_a_rehearsal_leaves_nothing_in_localbatch_and_can_be_repeated(tmp_path: Path) -> None:
    with account(tmp_path) as made:
        batch, ec2 = made.client("batch"), made.client("ec2")
        networks = len(ec2.describe_vpcs()["Vpcs"])
        made.deploy("--image", made.image(), "--no-migrate")
        (first,) = batch.describe_job_queues()["jobQueues"]
        assert ec2.describe_network_interfaces()["NetworkInterfaces"]
        call("destroy", "--name", "shop", "--yes")
        assert batch.describe_job_queues()["jobQueues"] == []
        assert batch.describe_compute_environments()["computeEnvironments"] == []
        definitions = batch.describe_job_definitions()["jobDefinitions"]
        assert [one["status"] for one in definitions] == ["INACTIVE"]
        assert len(ec2.describe_vpcs()["Vpcs"]) == networks
        assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
        assert ec2.describe_addresses()["Addresses"] == []
        made.deploy("--image", made.image(), "--no-migrate")
        (second,) = batch.describe_job_queues()["jobQueues"]
        assert second["computeEnvironmentOrder"] != first["computeEnvironmentOrder"]


def test_a_stack_that_stays_keeps_what_it_rests_on_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, met = CloudFormationBackend.delete_stack, []

    def refuse(backend: Any, name: str) -> None:
        if "shop-base" not in name:
            return original(backend, name)
        met.append(name)
        raise ValidationError(message="Stack [shop-base] cannot be deleted while it is protected")

    with deployed_account(tmp_path) as made:
        monkeypatch.setattr(CloudFormationBackend, "delete_stack", refuse)
        output = io.StringIO()
        destroy = ["destroy", "--name", "shop", "--yes", "--secrets", "--images", "shop"]
        with pytest.raises(CommandError) as error:
            call_command("batchexec", *destroy, stdout=output)
        assert met
        assert str(error.value) == (
            "The stack shop-base can't be deleted: Stack [shop-base] cannot be deleted while it is "
            "protected. Mend that, and run this again: what is deleted already stays deleted. "
            "Until then these stay: shop-roles."
        )
        said = output.getvalue()
        assert "shop-batch: removed" in said
        assert "shop-base: is being removed" in said
        assert "shop-base: removed" not in said
        assert made.stacks() == ["shop-base", "shop-roles"]
        assert Secrets(made.client("secretsmanager"), "shop").find("database-url") is None
        assert made.client("ecr").describe_repositories()["repositories"] == []


def test_what_moto_lacks_or_refuses_is_said_in_the_callers_protocol(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with account(tmp_path) as made:
        iam = made.client("iam")
        with pytest.raises(iam.exceptions.ClientError, match="simulate_principal_policy") as error:
            iam.simulate_principal_policy(
                PolicySourceArn="arn:aws:iam::123456789012:role/x", ActionNames=["batch:SubmitJob"]
            )
        assert error.value.response["Error"]["Code"] == "InvalidAction"
        lacking = [one for one in caplog.records if "moto lacks" in one.getMessage()]
        assert len(lacking) == 1
        assert lacking[0].exc_info is None
        # AWS Batch's refusal of a resource is JSON, and CloudFormation answers XML.
        cloudformation = made.client("cloudformation")
        body = (
            '{"Resources": {"Queue": {"Type": "AWS::Batch::JobQueue", "Properties": {"Priority": 1,'
            ' "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": "nowhere"}]}}}}'
        )
        with pytest.raises(cloudformation.exceptions.ClientError) as refusal:
            cloudformation.create_stack(StackName="other", TemplateBody=body)
        assert refusal.value.response["Error"]["Message"]
