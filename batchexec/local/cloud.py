"""What moto keeps for us: queues, job definitions, logs, IAM, EC2.

No other module knows moto.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Mapping
from typing import Any

from moto.batch.models import batch_backends
from moto.ec2.models import ec2_backends
from moto.ecs.models import ecs_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from batchexec.conf import settings

LOG_GROUP = "/aws/batch/job"
#: What a job without a command of its own prints.
PLACEHOLDER = "This job definition is used with a command in containerOverrides."
ALLOW_BATCH = {
    "Effect": "Allow",
    "Principal": {"Service": "batch.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
ASSUMED_BY_BATCH = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW_BATCH]})

_accounts = itertools.count(123456789012)


class UnknownRegion(ValueError):
    """AWS Batch has no such region."""


class Cloud:
    """An AWS account in moto's memory.

    Each server has its own, so two servers in one process don't share anything.
    """

    def __init__(self) -> None:
        # moto itself gives this variable precedence over the account that we name.
        self.account = os.environ.get("MOTO_ACCOUNT_ID") or str(next(_accounts))
        self._application = DomainDispatcherApplication(create_backend_app)
        self._provisioned: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """moto's own WSGI application, for this account."""
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account
        return self._application(environ, start_response)

    def close(self) -> None:
        for backends in (batch_backends, ec2_backends, ecs_backends, iam_backends, logs_backends):
            backends.pop(self.account, None)

    def batch(self, region: str) -> Any:
        """moto's Batch in that region.

        It has the job queue and the job definition that BATCHEXEC names.
        """
        try:
            backend = batch_backends[self.account][region]
        except KeyError:
            raise UnknownRegion(f"AWS Batch has no region {region!r}.") from None
        with self._lock:
            if region not in self._provisioned:
                _provision(backend)
                self._provisioned.add(region)
        return backend

    def queue(self, region: str, name_or_arn: str) -> Any:
        return self.batch(region).get_job_queue(name_or_arn)

    def definition(self, region: str, identifier: str) -> Any:
        """The active job definition with this ARN or name, or None.

        Without a revision, it is the latest.
        """
        backend = self.batch(region)
        name, _, revision = identifier.rpartition("job-definition/")[2].partition(":")
        found = [
            definition
            for definition in backend.get_job_definitions(name)
            if definition.status == "ACTIVE" and revision in ("", str(definition.revision))
        ]
        return max(found, key=lambda definition: int(definition.revision), default=None)

    def tags(self, region: str, arn: str) -> Mapping[str, str]:
        return self.batch(region).list_tags_for_resource(arn)

    def put_log_events(self, region: str, stream: str, events: list[dict[str, Any]]) -> None:
        logs = self.batch(region).logs_backend
        logs.ensure_log_group(LOG_GROUP)
        logs.ensure_log_stream(LOG_GROUP, stream)
        if events:
            logs.put_log_events(LOG_GROUP, stream, events)


def _provision(batch: Any) -> None:
    role = batch.iam_backend.create_role(
        f"localbatch-{batch.region_name}", ASSUMED_BY_BATCH, "/", None, "", [], "3600"
    )
    network = batch.ec2_backend
    environment = batch.create_compute_environment(
        "localbatch",
        "MANAGED",
        "ENABLED",
        {
            "type": "FARGATE",
            "maxvCpus": 256,
            "subnets": [subnet.id for subnet in network.get_default_subnets().values()][:1],
            "securityGroupIds": [network.get_default_security_group().id],
        },
        role.arn,
    )
    batch.create_job_queue(
        queue_name=settings.JOB_QUEUE,
        priority=1,
        schedule_policy=None,
        state="ENABLED",
        compute_env_order=[{"order": 1, "computeEnvironment": environment.arn}],
    )
    batch.register_job_definition(
        def_name=settings.JOB_DEFINITION,
        parameters={},
        _type="container",
        tags={},
        retry_strategy={"attempts": 1},
        container_properties={
            "image": "localbatch",
            "command": ["python", "-c", f"print({PLACEHOLDER!r})"],
            "resourceRequirements": [
                {"type": "VCPU", "value": "0.25"},
                {"type": "MEMORY", "value": "512"},
            ],
            "executionRoleArn": role.arn,
        },
        node_properties=None,
        eks_properties=None,
        timeout={},
        platform_capabilities=["FARGATE"],
        propagate_tags=False,
    )
