"""Whatever a request says, it is answered or refused, and harms no other job."""

from __future__ import annotations

import json
import os
import random
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

import pytest
from botocore.session import get_session

from batchexec.local.guard import SIGNED
from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Made, requirements

MODEL = get_session().get_service_model("batch")
#: What exists, so that requests get further than to a name.
KNOWN = ["delayed-jobs", "localbatch", "delayed-jobs:1", "ENABLED", "FARGATE", "container"]
TEXTS = [*KNOWN, "", "a", "x" * 300, "\ud800", "\x00", "é", "Ref::a", "aws:x", "${x}", "*", "-1"]
TEXTS += ["0.25", "512", "1e999", "nan", "arn:aws:batch:us-east-1:123456789012:job-queue/x", "=a"]
NUMBERS = [0, 1, 2, -1, 60, 10_000, 2**31 - 1, 2**31, 10**30, 0.5]
ROLE = "arn:aws:iam::123456789012:role/x"
SIZES = requirements("1", "2048")
RIGHT: dict[str, dict[str, Any]] = {
    "SubmitJob": {
        "jobName": "a",
        "jobQueue": "delayed-jobs",
        "jobDefinition": "delayed-jobs",
        "containerOverrides": {"command": ["true"]},
    },
    "RegisterJobDefinition": {
        "jobDefinitionName": "delayed-jobs",
        "type": "container",
        "platformCapabilities": ["FARGATE"],
        "containerProperties": {
            "image": "x",
            "executionRoleArn": ROLE,
            "resourceRequirements": SIZES,
        },
    },
    "CreateJobQueue": {
        "jobQueueName": "a",
        "priority": 1,
        "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "localbatch"}],
    },
    "UpdateJobQueue": {"jobQueue": "delayed-jobs", "state": "ENABLED"},
    "UpdateComputeEnvironment": {"computeEnvironment": "localbatch", "state": "ENABLED"},
    "DescribeJobs": {"jobs": ["a"]},
    "ListJobs": {"jobQueue": "delayed-jobs"},
    "DescribeJobDefinitions": {"jobDefinitionName": "delayed-jobs"},
    "DescribeJobQueues": {},
    "DescribeComputeEnvironments": {},
}
OPERATIONS = [*MODEL.operation_names, *RIGHT, *["SubmitJob", "RegisterJobDefinition"] * 20]
SEED = int(os.environ.get("FUZZ_SEED") or 20260101)


class Requests:
    """Requests at random that are nearly, or wholly, what the service model allows."""

    def __init__(self, seed: int):
        self._random = random.Random(seed)

    def operation(self) -> str:
        return self._random.choice(OPERATIONS)

    def request(self, operation: str) -> Any:
        """Mostly one that is right but for a member or two."""
        shape = MODEL.operation_model(operation).input_shape
        right = RIGHT.get(operation)
        if right is None or self._random.random() < 0.2:
            return self.value(shape)
        number = min(self._random.choice([0, 1, 1, 2, 3]), len(shape.members))
        names = self._random.sample(list(shape.members), number)
        return {**right, **{name: self.value(shape.members[name], 1) for name in names}}

    def value(self, shape: Any, depth: int = 0) -> Any:
        if self._random.random() < 0.01:
            return self._random.choice([None, [], {}, True, "x", 1, [[]], {"a": None}])
        kind = shape.type_name
        if kind == "structure":
            wanted = [
                name
                for name in shape.members
                if name in shape.required_members
                or self._random.random() < (0.5 if depth < 4 else 0.1)
            ]
            return {name: self.value(shape.members[name], depth + 1) for name in wanted}
        if kind == "list":
            size = self._random.choice([0, 1, 1, 2, 3])
            return [self.value(shape.member, depth + 1) for _ in range(size)]
        if kind == "map":
            keys = self._random.sample(TEXTS, self._random.choice([0, 1, 2]))
            return {key: self.value(shape.value, depth + 1) for key in keys}
        if kind == "boolean":
            return self._random.random() < 0.5
        if kind == "string":
            return self._random.choice(shape.metadata.get("enum") or TEXTS)
        return self._random.choice(NUMBERS)


def send(server: LocalBatch, operation: str, request: Any) -> tuple[int, str]:
    http = MODEL.operation_model(operation).http
    path = http["requestUri"].replace("{resourceArn}", "x")
    body = json.dumps(request).encode()
    sent = urllib.request.Request(server.url + path, body, SIGNED, method=http["method"])
    try:
        with urllib.request.urlopen(sent, timeout=120) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_no_request_breaks_the_server_or_other_jobs(seed: int) -> None:
    requests = Requests(seed)
    answered: Counter[tuple[str, int]] = Counter()
    with LocalBatch(create=True, start_delay=0, stop_grace=0.1, shutdown_grace=0.1) as server:
        for _ in range(2000):
            operation = requests.operation()
            request = requests.request(operation)
            status, answer = send(server, operation, request)
            assert status in (200, 400, 404), (operation, request, answer)
            answered[operation, status] += 1
        # Most requests were of interest.
        assert answered["SubmitJob", 200] > 50
        assert answered["RegisterJobDefinition", 200] > 50
        made = Made(server.url)
        made.environment("untouched")
        made.queue("untouched", "untouched")
        made.register("untouched")
        job = made.submit("true", queue="untouched", definition="untouched")
        assert made.finished(job)["status"] == "SUCCEEDED"
        for status in ("SUBMITTED", "PENDING", "STARTING", "RUNNING"):
            listed = made.client.list_jobs(jobQueue="untouched", jobStatus=status)
            assert listed["jobSummaryList"] == []
