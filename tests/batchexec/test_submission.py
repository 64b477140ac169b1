"""What is submitted, and what is checked before anything is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from contextlib import suppress

import pytest

import jobs
from batchexec.aws.definitions import ECS_PROPERTIES, EKS_PROPERTIES, Definition
from batchexec.aws.request import MARGIN, request_for
from batchexec.checks import check_aws
from batchexec.models import BatchJob
from batchexec.resources import Resources, check_resources
from batchexec.sizes import Sizes
from jobs.models import Job
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)


def built(payload=None, resources=None) -> dict:
    job = jobs.enqueue(payload or Record())
    marker = BatchJob(
        job_id=str(job.pk), epoch=0, job_name="n", job_queue="q", job_definition="d:3"
    )
    return request_for(job, marker, resources or Resources(), Definition("d:3"))


def test_max_run_time_reaches_batch_as_its_timeout_with_a_margin():
    payload = Record()
    payload.max_run_time = dt.timedelta(minutes=10)
    assert built(payload)["timeout"] == {"attemptDurationSeconds": 600 + MARGIN}
    assert built(payload, Resources(timeout=90))["timeout"] == {"attemptDurationSeconds": 90}
    payload.max_run_time = 0
    assert "timeout" not in built(payload)


def test_batch_does_not_retry_by_itself_unless_the_job_says_so():
    assert built()["retryStrategy"] == {"attempts": 1}
    strategy = built(resources=Resources(attempts=3))["retryStrategy"]
    assert strategy["attempts"] == 3
    assert {(rule["onExitCode"], rule["action"]) for rule in strategy["evaluateOnExit"]} == {
        ("1", "EXIT"),
        ("3", "EXIT"),
        ("4", "EXIT"),
        ("143", "EXIT"),
    }
    own = [
        {"onStatusReason": "Host EC2*", "action": "RETRY"},
        {"onExitCode": "*", "action": "EXIT"},
    ]
    strategy = built(resources=Resources(attempts=2, evaluate_on_exit=own))["retryStrategy"]
    assert strategy == {"attempts": 2, "evaluateOnExit": own}


def test_only_what_is_asked_for_is_submitted():
    request = built()
    assert set(request) == {
        "jobName",
        "jobQueue",
        "jobDefinition",
        "containerOverrides",
        "retryStrategy",
        "tags",
        "timeout",
    }
    assert set(request["containerOverrides"]) == {"command", "environment"}
    request = built(
        resources=Resources(
            vcpu=1, memory=2048, share_identifier="a", scheduling_priority=5, tags={"k": "v"}
        )
    )
    assert (request["shareIdentifier"], request["schedulingPriorityOverride"], request["tags"]) == (
        "a",
        5,
        {"k": "v"},
    )


@pytest.mark.parametrize(
    ("environment", "options", "said"),
    [
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, {}, "set AWS_REGION"),
        ({}, {"JOB_QUEUE": "nowhere"}, "no job queue 'nowhere'"),
        ({}, {"JOB_DEFINITION": "nothing"}, "no active job definition 'nothing'"),
    ],
)
def test_a_wrong_configuration_is_one_sentence_of_the_deployment_check(
    batch, settings, monkeypatch, environment, options, said
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings.BATCHEXEC = options
    (warning,) = check_aws(None)
    assert said in warning.msg
    assert warning.id == "batchexec.W001"


def test_a_right_configuration_is_no_finding_and_neither_is_an_aws_that_cannot_be_reached(
    batch, monkeypatch
):
    assert check_aws(None) == []
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", "http://127.0.0.1:9")
    assert check_aws(None) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"BATCHEXEC_JOB_QUEUE": "nowhere"}, "no job queue 'nowhere'"),
        ({"BATCHEXEC_JOB_DEFINITION": "nothing"}, "no active job definition 'nothing'"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "set AWS_REGION"),
        (
            {
                "AWS_ACCESS_KEY_ID": "",
                "AWS_SECRET_ACCESS_KEY": "",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            "credentials are missing",
        ),
    ],
)
def test_a_worker_refuses_to_start_with_a_wrong_configuration_and_burns_no_job(
    batch, start, broken, said
):
    job = jobs.enqueue(Record())
    worker = start("jobworker", "--batch", **broken)
    assert worker.wait() == 1
    assert said in worker.output
    assert "Traceback" not in worker.output
    job.refresh_from_db()
    assert (job.state, job.attempts, job.epoch) == ("ready", 0, 0)


WIDE = Sizes(vcpu=1.23456e-100, memory=10**11, gpu=10**4)
NAME = "c" * 255


@pytest.mark.parametrize(
    "definition",
    [
        Definition("d:3"),
        Definition("d:3", kind=ECS_PROPERTIES, container=NAME),
        Definition("d:3", kind=EKS_PROPERTIES, container=NAME),
        Definition("d:3", kind=EKS_PROPERTIES, container=NAME, has_command=True),
    ],
    ids=["container", "ecs", "eks", "eks with a command"],
)
def test_an_environment_that_is_taken_when_a_job_is_enqueued_is_taken_when_it_is_submitted(
    definition,
):
    def check(length: int) -> Job:
        job = Job(epoch=2**63 - 1)
        job.payload = Record()
        job.payload.batch = {"environment": {"A": "x" * length}}
        check_resources(job)
        return job

    most = next(length for length in range(8192, 0, -1) if is_taken(check, length))
    assert most > 7000
    job = check(most)
    job.pk = uuid.UUID(int=0)
    marker = BatchJob(job_id="1", epoch=0, job_name="n", job_queue="q", job_definition="d:3")
    wanted = Resources(environment={"A": "x" * most})
    resources = dataclasses.replace(wanted, vcpu=WIDE.vcpu, memory=WIDE.memory, gpu=WIDE.gpu)
    request_for(job, marker, resources, definition)


def is_taken(check, length: int) -> bool:
    with suppress(ValueError):
        check(length)
        return True
    return False
