"""What `doctor` makes of a definition in which somebody put anything."""

from __future__ import annotations

from typing import Any

import pytest

from batchexec.doctor.checks import look
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.findings import OK

pytestmark = pytest.mark.django_db(transaction=True)

GARBAGE: list[dict[str, Any]] = [
    {"image": "::::"},
    {"image": "x" * 255},
    {"secrets": [{"name": "SECRET_KEY", "valueFrom": "\x1b[31m not an arn"}]},
    {"executionRoleArn": "arn:aws:iam::123456789012:role/"},
    {"environment": [{"name": "JOBS_MAX_ATTEMPTS", "value": "[[["}]},
    {"environment": [{"name": "JOBS_SIGNING_KEYS", "value": "{}"}]},
    {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "*"}}},
    {"runtimePlatform": {"cpuArchitecture": "Z80"}},
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda one: next(iter(one)))
def test_garbage_in_the_definition_ends_no_check_and_steers_no_terminal(
    patient, monkeypatch, garbage
):
    """Put in behind the stand-in's own checks, as AWS Batch might have taken it."""
    honest = Deployment.container
    monkeypatch.setattr(
        Deployment, "container", lambda deployment: {**honest(deployment), **garbage}
    )
    found = look(Deployment(), lambda finding: None)
    assert {"roles", "timeouts", "log group", "SubmitJob's rate"} <= {one.check for one in found}
    assert any(one.level != OK for one in found)
    assert all(one.text.isprintable() for one in found)


@pytest.mark.parametrize("value", [None, 7, "text", [], [None], {"a": 1}, [[]]])
def test_a_definition_of_any_shape_is_looked_at(patient, monkeypatch, value):
    keys = ("secrets", "environment", "logConfiguration", "linuxParameters", "runtimePlatform")
    container = {**dict.fromkeys(keys, value), "image": value, "executionRoleArn": value}
    monkeypatch.setattr(Deployment, "container", lambda deployment: container)
    found = look(Deployment(), lambda finding: None)
    assert not [one for one in found if "Error:" in one.text]
    assert {"image", "log group", "roles", "signing keys"} <= {one.check for one in found}
