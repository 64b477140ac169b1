"""An AWS account on this machine that `manage.py batchexec` deploys into.

Its CloudFormation, IAM, ECS and ECR are moto's, its AWS Batch is localbatch, and all of
them are asked over HTTP.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from batchexec.deploying import formation, migration
from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import boto

DATABASE_URL = "mongodb+srv://user:s3cret-word@db.example.com/jobs"
CREDENTIALS = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "y",
    "AWS_EC2_METADATA_DISABLED": "true",
}


#: moto leaves out alarms, metric filters and scheduling policies, and warns of that.
LEFT_OUT = pytest.mark.filterwarnings("ignore:Tried to parse AWS")


class Account:
    """A server, and short ways to deploy into it. `name`: the environment."""

    def __init__(self, server: LocalBatch, folder: Path, name: str = "shop"):
        self.server = server
        self.name = name
        self.url_file = folder / "database-url"
        self.url_file.write_text(DATABASE_URL + "\n")

    @property
    def number(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str) -> Any:
        return boto(self.server.url, service)

    def image(self, content: str = "one") -> str:
        """Pushes an image of that content; returns its name with the digest."""
        ecr = self.client("ecr")
        digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": 1,
                "digest": digest,
            },
            "layers": [],
        }
        (repository,) = ecr.describe_repositories(repositoryNames=["shop"])["repositories"]
        with suppress(ecr.exceptions.ImageAlreadyExistsException):
            ecr.put_image(
                repositoryName="shop",
                imageManifest=json.dumps(manifest),
                imageTag=content,
                imageDigest=digest,
            )
        return f"{repository['repositoryUri']}@{digest}"

    def network(self) -> list[str]:
        """Options that name the network that an account begins with."""
        subnets = self.client("ec2").describe_subnets()["Subnets"][:2]
        ids = ",".join(subnet["SubnetId"] for subnet in subnets)
        return ["--vpc-id", subnets[0]["VpcId"], "--subnets", ids]

    def deploy(self, *options: str) -> str:
        """Deploys the environment with its database; returns what the command says."""
        file = ("--database-url-file", str(self.url_file))
        return call("deploy", "--name", self.name, *file, *options)

    def outputs(self, stack: str) -> dict[str, str]:
        described = self.client("cloudformation").describe_stacks(StackName=f"{self.name}-{stack}")
        return {one["OutputKey"]: one["OutputValue"] for one in described["Stacks"][0]["Outputs"]}

    def policy(self, role_arn: str) -> dict[str, Any]:
        """The one policy that a role has, as IAM keeps it."""
        iam, role = self.client("iam"), role_arn.rpartition("/")[2]
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        found = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        # moto shows what a template gave it as Python would.
        return dict(ast.literal_eval(found) if isinstance(found, str) else found)

    def container(self, family: str) -> dict[str, Any]:
        """The container of a task definition's latest revision."""
        answer = self.client("ecs").describe_task_definition(taskDefinition=family)
        (container,) = answer["taskDefinition"]["containerDefinitions"]
        return dict(container)

    def stacks(self) -> list[str]:
        found = self.client("cloudformation").list_stacks()["StackSummaries"]
        return sorted(one["StackName"] for one in found if one["StackStatus"] != "DELETE_COMPLETE")


def call(*arguments: str) -> str:
    """`manage.py batchexec <arguments>`; returns its standard output."""
    output = io.StringIO()
    call_command("batchexec", *arguments, stdout=output)
    return output.getvalue()


@contextmanager
def account(folder: Path, **options: Any) -> Iterator[Account]:
    """An empty account but for a repository, which this process's boto3 now asks."""
    with pytest.MonkeyPatch.context() as patch, LocalBatch(start_delay=0, **options) as server:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": server.url}.items():
            patch.setenv(name, value)
        patch.setattr(formation, "PAUSE", 0.01)
        patch.setattr(migration, "PAUSE", 0.01)
        call("push", "--repository", "shop", "--tag", "first")
        yield Account(server, folder)


@contextmanager
def deployed_account(folder: Path) -> Iterator[Account]:
    """The same, with an environment in a network that it was given."""
    with account(folder) as made:
        made.deploy("--image", made.image(), *made.network(), "--no-migrate")
        yield made


@contextmanager
def account_deployed_from_ci(folder: Path) -> Iterator[Account]:
    """The same, migrated, with a deployment role that `ci` may take."""
    with account(folder) as made:
        role = f"arn:aws:iam::{made.number}:role/ci"
        made.deploy("--image", made.image(), *made.network(), "--deployed-by", role)
        yield made
