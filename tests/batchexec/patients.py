"""A healthy deployment on a local AWS, and ways to break it."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.batchexec.local_helpers import boto
from tests.processes import FAST

KEY = "k" * 10 + "0123456789" * 5
REPOSITORY, GROUP = "delayed-jobs", "/delayed-jobs/jobs"


def trusted(service: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def index(architecture: str) -> str:
    """What buildx pushes: an index, with an attestation beside the image."""
    kind = "application/vnd.oci.image.manifest.v1+json"
    digest = f"sha256:{'1' * 64}"
    platforms = [
        {"architecture": architecture, "os": "linux"},
        {"architecture": "unknown", "os": "unknown"},
    ]
    manifests = [
        {"mediaType": kind, "digest": digest, "size": 1, "platform": one} for one in platforms
    ]
    media = "application/vnd.oci.image.index.v1+json"
    return json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": manifests})


class Patient:
    """An account with all that the settings' queue and definition need."""

    def __init__(self, url: str):
        self.url = url
        self.batch, self.iam, self.logs, self.ecr, self.secrets = (
            boto(url, service) for service in ("batch", "iam", "logs", "ecr", "secretsmanager")
        )
        self.account = boto(url, "sts").get_caller_identity()["Account"]
        self.execution = self.role("execution")
        self.job = self.role("job")
        self.logs.create_log_group(logGroupName=GROUP)
        self.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=30)
        self.ecr.create_repository(repositoryName=REPOSITORY)
        self.image = self.pushed("amd64")
        self.key = self.secret("secret-key", os.environ.get("SECRET_KEY", KEY))
        self.database = self.secret("database-url", os.environ["DATABASE_URL"])
        self.define()

    def role(self, name: str, service: str = "ecs-tasks.amazonaws.com") -> str:
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted(service))
        return str(role["Role"]["Arn"])

    def secret(self, name: str, value: str) -> str:
        return str(self.secrets.create_secret(Name=name, SecretString=value)["ARN"])

    def pushed(self, architecture: str) -> str:
        """The name of an image, by its digest."""
        manifest = index(architecture)
        image = self.ecr.put_image(
            repositoryName=REPOSITORY, imageManifest=manifest, imageTag=architecture
        )["image"]
        host = f"{self.account}.dkr.ecr.us-east-1.amazonaws.com"
        return f"{host}/{REPOSITORY}@{image['imageId']['imageDigest']}"

    def define(self, timeout: int = 14_700, environment: Any = (), **container: Any) -> None:
        """A further revision, with this in place of what a healthy one has."""
        properties = {
            "image": self.image,
            "command": ["python", "manage.py", "runjob", "overridden-at-submission"],
            "resourceRequirements": [
                {"type": "VCPU", "value": "0.25"},
                {"type": "MEMORY", "value": "512"},
            ],
            "executionRoleArn": self.execution,
            "jobRoleArn": self.job,
            "environment": [
                *({"name": name, "value": value} for name, value in FAST.items()),
                *environment,
            ],
            "secrets": [
                {"name": "SECRET_KEY", "valueFrom": self.key},
                {"name": "DATABASE_URL", "valueFrom": self.database},
            ],
            "linuxParameters": {"initProcessEnabled": True},
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": GROUP}},
            **container,
        }
        self.batch.register_job_definition(
            jobDefinitionName="delayed-jobs",
            type="container",
            platformCapabilities=["FARGATE"],
            retryStrategy={"attempts": 1},
            timeout={"attemptDurationSeconds": timeout},
            containerProperties=properties,
        )
