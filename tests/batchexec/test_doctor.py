"""`manage.py batchexec doctor`: healthy, and each thing that is broken by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command

from batchexec.doctor import agreement
from batchexec.doctor.checks import look
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.findings import FAULT, WARNING, Finding
from batchexec.doctor.rounds import LIMIT
from jobs.models import Job
from tests.batchexec.local_helpers import boto
from tests.batchexec.patients import KEY, Patient, trusted
from tests.processes import FAST

pytestmark = pytest.mark.django_db(transaction=True)


def findings(level: str = FAULT, worker_role: str = "") -> list[Finding]:
    found = look(Deployment(worker_role), lambda finding: None)
    return [finding for finding in found if finding.level == level]


def named(found: list[Finding], check: str, text: str) -> Finding:
    """The finding of that check with that text; it has a cure."""
    matching = [one for one in found if one.check == check and text in one.text]
    assert matching, found
    assert all(one.cure for one in matching)
    return matching[0]


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The command's exit status and what it prints. Its checks may take their time."""

    def run(*options: str) -> tuple[int, str]:
        capsys.readouterr()
        status: Any = 0
        try:
            call_command("batchexec", "doctor", *options)
        except SystemExit as ended:
            status = ended.code
        return status, capsys.readouterr().out

    return run


def test_what_is_healthy_is_said_line_by_line_and_the_exit_status_is_0(patient, doctor):
    status, output = doctor("--canary")
    assert status == 0, output
    assert "fault " not in output
    assert "0 faults" in output
    for check in (
        "settings",
        "database",
        "region",
        "identity",
        "clock",
        "queue",
        "compute environments",
        "room",
        "definition",
        "timeouts",
        "image",
        "secrets",
        "log group",
        "roles",
        "worker's rights",
        "signing keys",
        "container's database",
        "container's settings",
        "SubmitJob's rate",
    ):
        assert f"ok       {check}: " in output
    # What the canary went through, and nothing of it is left.
    for step in ("enqueued as job", "submitted as Batch job", "its outcome is recorded"):
        assert f" s  {step}" in output
    assert "ok       canary: The canary flew" in output
    assert Job.objects.count() == 0
    assert KEY not in output
    (fingerprint,) = {agreement.fingerprint(KEY.encode())}
    assert fingerprint in output


def test_a_fault_is_exit_status_1_and_the_same_as_json(patient, doctor):
    patient.logs.delete_log_group(logGroupName="/delayed-jobs/jobs")
    status, output = doctor("--json", "--canary")
    assert status == 1
    said = json.loads(output)
    assert said["healthy"] is False
    (found,) = [one for one in said["findings"] if one["level"] == FAULT]
    assert found["check"] == "log group"
    assert found["cure"].startswith("aws logs create-log-group")
    assert said["canary"] == []  # none flies with faults


def without_environments(patient: Patient, settings: Any) -> None:
    patient.batch.update_compute_environment(computeEnvironment="localbatch", state="DISABLED")


def without_queue(patient: Patient, settings: Any) -> None:
    settings.BATCHEXEC = {**settings.BATCHEXEC, "JOB_QUEUE": "nowhere"}


def with_a_closed_queue(patient: Patient, settings: Any) -> None:
    patient.batch.update_job_queue(jobQueue="delayed-jobs", state="DISABLED")


def without_definition(patient: Patient, settings: Any) -> None:
    settings.BATCHEXEC = {**settings.BATCHEXEC, "JOB_DEFINITION": "gone"}


def with_too_large_a_job(patient: Patient, settings: Any) -> None:
    patient.define(
        resourceRequirements=[
            {"type": "VCPU", "value": "16"},
            {"type": "MEMORY", "value": "32768"},
        ]
    )
    patient.batch.update_compute_environment(
        computeEnvironment="localbatch", computeResources={"maxvCpus": 8}
    )


def without_image(patient: Patient, settings: Any) -> None:
    patient.define(image=f"{patient.image.partition('@')[0]}@sha256:{'0' * 64}")


def without_repository(patient: Patient, settings: Any) -> None:
    patient.define(image=patient.image.replace("/delayed-jobs@", "/typo@"))


def for_another_processor(patient: Patient, settings: Any) -> None:
    patient.define(image=patient.pushed("arm64"))


def without_secret(patient: Patient, settings: Any) -> None:
    gone = f"arn:aws:secretsmanager:us-east-1:{patient.account}:secret:gone-AbCdEf"
    patient.define(secrets=[{"name": "SECRET_KEY", "valueFrom": gone}])


def with_a_secret_in_the_open(patient: Patient, settings: Any) -> None:
    patient.define(environment=[{"name": "DATABASE_URL", "value": "mongodb://u:p@h/d"}])


def without_log_group(patient: Patient, settings: Any) -> None:
    patient.logs.delete_log_group(logGroupName="/delayed-jobs/jobs")


def without_execution_role(patient: Patient, settings: Any) -> None:
    patient.iam.delete_role(RoleName="execution")


def without_trust(patient: Patient, settings: Any) -> None:
    patient.iam.update_assume_role_policy(
        RoleName="job", PolicyDocument=trusted("ec2.amazonaws.com")
    )


def with_another_key(patient: Patient, settings: Any) -> None:
    patient.secrets.put_secret_value(SecretId=patient.key, SecretString="x" * 60)


def with_a_key_that_the_settings_do_not_read(patient: Patient, settings: Any) -> None:
    settings.SECRET_KEY = "the settings' own" * 5


def with_another_database(patient: Patient, settings: Any) -> None:
    patient.secrets.put_secret_value(
        SecretId=patient.database, SecretString="mongodb://secret-name:secret-word@other/jobs"
    )


def with_another_lease(patient: Patient, settings: Any) -> None:
    patient.define(environment=[{"name": "JOBS_LEASE", "value": "711"}])


def with_garbage_for_a_lease(patient: Patient, settings: Any) -> None:
    patient.define(environment=[{"name": "JOBS_LEASE", "value": "a minute"}])


def with_a_wrong_setting(patient: Patient, settings: Any) -> None:
    settings.BATCHEXEC = {**settings.BATCHEXEC, "POLL_INTERVAL": "soon"}


BROKEN: list[tuple[Callable[[Patient, Any], None], str, str]] = [
    (without_environments, "compute environments", "is DISABLED"),
    (without_queue, "queue", "no job queue 'nowhere'"),
    (with_a_closed_queue, "queue", "is disabled"),
    (without_definition, "definition", "no active job definition 'gone'"),
    (with_too_large_a_job, "room", "asks for 16 vCPU"),
    (without_image, "image", "ECR has no image"),
    (without_repository, "image", "ECR has no image"),
    (for_another_processor, "image", "exec format error"),
    (without_secret, "secrets", "doesn't exist"),
    (with_a_secret_in_the_open, "secrets", "has DATABASE_URL in its environment"),
    (without_log_group, "log group", "doesn't exist"),
    (without_execution_role, "roles", "execution role"),
    (without_trust, "roles", "doesn't trust ecs-tasks.amazonaws.com"),
    (with_another_key, "signing keys", "every job fails with DeserializationError"),
    (with_a_key_that_the_settings_do_not_read, "signing keys", "your settings don't read it"),
    (with_another_database, "container's database", "another database"),
    (with_another_lease, "container's settings", f"is {float(FAST['JOBS_LEASE'])} here and 711.0"),
    (with_garbage_for_a_lease, "container's settings", "'a minute'"),
    (with_a_wrong_setting, "settings", "'soon'"),
]


@pytest.mark.parametrize(
    ("break_it", "check", "text"), BROKEN, ids=[case[0].__name__ for case in BROKEN]
)
def test_what_is_broken_is_named_with_its_cure_and_nothing_else_is(
    patient, settings, break_it, check, text
):
    break_it(patient, settings)
    found = findings()
    named(found, check, text)
    assert {one.check for one in found} == {check}
    assert not any("secret-word" in one.text + one.cure or KEY in one.text for one in found)


def test_a_machine_without_a_region_is_told_so_and_nothing_is_asked(region, monkeypatch, batch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    (found,) = findings()
    named([found], "region", "none is set")
    assert batch.calls()["counts"] == {}


def test_a_region_that_does_not_exist_is_named_and_nothing_is_asked(region, monkeypatch, batch):
    monkeypatch.setenv("AWS_REGION", "us-nowhere-1")
    named(findings(), "region", "no region 'us-nowhere-1'")
    assert batch.calls()["counts"] == {}


def test_in_another_region_the_queue_is_missing_and_the_region_is_said(patient, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    # localbatch makes its queue in every region.
    for call, options in (
        ("update_job_queue", {"jobQueue": "delayed-jobs", "state": "DISABLED"}),
        ("delete_job_queue", {"jobQueue": "delayed-jobs"}),
    ):
        getattr(boto(patient.url, "batch", "eu-west-1"), call)(**options)
    assert "AWS_REGION" in named(findings(), "queue", "(in eu-west-1)").cure


def test_without_credentials_that_is_the_only_fault(region, monkeypatch, batch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    found = findings()
    assert {one.check for one in found} <= {"identity", "clock"}
    named(found, "identity", "credentials are missing")
    assert batch.calls()["counts"] == {}


def test_where_nothing_answers_no_check_crashes_and_all_end_in_time(region, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("AWS_ENDPOINT_URL_BATCH", raising=False)
    pauses: list[float] = []
    # Before boto3 tries once more: that is what takes time.
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=pauses.append))
    found = findings(WARNING)
    assert pauses
    assert sum(pauses) < LIMIT
    named(found, "queue", "can't be looked at")
    named(found, "image", "can't be looked at")


def test_a_right_that_is_missing_is_named_and_what_is_denied_is_no_crash(region, batch_with):
    allowed = {"Effect": "Allow", "Action": "batch:*", "Resource": "*"}
    denied = {
        "Effect": "Deny",
        "Action": ["batch:SubmitJob", "batch:DescribeComputeEnvironments"],
        "Resource": "*",
    }
    limited = batch_with(policy={"Version": "2012-10-17", "Statement": [allowed, denied]})
    Patient(limited.url)
    named(findings(), "worker's rights", "may not batch:SubmitJob")
    found = named(findings(WARNING), "compute environments", "can't be looked at")
    assert found.cure == "allow batch:DescribeComputeEnvironments."


def test_looking_leaves_nothing_behind_in_aws_batch(patient, batch):
    findings()
    assert batch.calls()["counts"]["SubmitJob"] == 1
    assert [one["accepted"] for one in batch.calls()["submissions"]] == [False]
    assert Job.objects.count() == 0
