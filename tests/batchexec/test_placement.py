"""Queue, definition and sizes go together, as AWS says what they are: one worker serves
queues on Fargate and on machines of your own, and definitions of each kind.
"""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

import jobs
from batchexec import Resources
from batchexec.aws.catalogue import Catalogue
from batchexec.aws.client import BatchClient
from batchexec.aws.definitions import definition_of
from batchexec.aws.request import request_for
from batchexec.models import BatchHistory, BatchJob
from jobs.models import Job, State
from tests.batchexec.places import ROLE, add_definition, add_queue, details, sized, sizes_of
from tests.processes import lines, released, row
from tests.samples import Append, Record

pytestmark = pytest.mark.django_db(transaction=True)


def job_with(path: Any, **batch: Any) -> Job:
    payload = Append(str(path))
    payload.batch = Resources(**batch)
    return jobs.enqueue(payload)


@pytest.mark.parametrize(
    ("defined", "asked", "given"),
    [
        (("4", "8192"), {"memory": 16384}, {"VCPU": "4", "MEMORY": "16384"}),
        (("0.5", "4096"), {"vcpu": 1}, {"VCPU": "1", "MEMORY": "4096"}),
        (("1", "2048"), {"memory": 9000}, {"VCPU": "2", "MEMORY": "9216"}),
        (("2", "4096"), {}, {"VCPU": "2", "MEMORY": "4096"}),
    ],
)
def test_what_a_job_leaves_out_is_the_definitions_on_fargate_too(
    batch, worker, client_of, tmp_path, defined, asked, given
):
    client = client_of(batch)
    add_definition(client, "delayed-jobs", *defined)
    job_with(tmp_path / "log", **asked)
    assert worker().work_off() == (1, 0)
    (detail,) = details(client, batch)
    assert sizes_of(detail) == given
    assert detail["jobDefinition"].endswith("/delayed-jobs:2")


@pytest.mark.parametrize(
    ("asked", "memory"),
    [
        ({"on_oom": 2}, ["1024", "2048", "4096"]),
        ({"on_oom": 2, "max_memory": 3000}, ["1024", "2048", "2048"]),
        ({"on_oom": 2, "memory": 2048, "max_memory": 4096}, ["2048", "4096", "4096"]),
        ({"on_oom": 1.5, "max_memory": 1500}, ["1024", "1024", "1024"]),
    ],
)
def test_more_memory_is_reckoned_from_the_definitions_and_never_beyond_the_limit(
    batch, worker, client_of, tmp_path, asked, memory
):
    client = client_of(batch)
    add_definition(client, "delayed-jobs", "0.5", "1024")
    batch.set_faults(["Container:oom:times=2"])
    job_with(tmp_path / "log", **asked)
    for outcome in ((0, 1), (0, 1), (1, 0)):
        # A worker that is new each time: the history is the job's, not the worker's.
        assert worker().work_off() == outcome
        Job.objects.update(state=State.READY)
    assert [sizes_of(detail)["MEMORY"] for detail in details(client, batch)] == memory


def test_one_worker_serves_queues_on_fargate_and_on_other_machines(
    batch, worker, client_of, tmp_path
):
    client = client_of(batch)
    add_queue(client, "machines", on_ec2=True)
    add_definition(client, "on-machines", "1", "512", platformCapabilities=["EC2"])
    job_with(tmp_path / "log", vcpu=0.3, memory=1500)
    job_with(tmp_path / "log", vcpu=3, memory=1500, queue="machines", definition="on-machines")
    assert worker(concurrency=2).work_off() == (2, 0)
    given = {
        detail["jobQueue"].rpartition("/")[2]: sizes_of(detail) for detail in details(client, batch)
    }
    assert given == {
        "delayed-jobs": {"VCPU": "0.5", "MEMORY": "2048"},
        "machines": {"VCPU": "3", "MEMORY": "1500"},
    }


def test_where_the_queue_may_not_be_asked_the_definition_says_the_platform(
    worker, local_batch, client_of, monkeypatch, settings, tmp_path
):
    allowed = ["batch:SubmitJob", "batch:DescribeJobs", "batch:ListJobs"]
    allowed.append("batch:DescribeJobDefinitions")
    statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    batch = local_batch(start_delay=0.05, policy=policy)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", batch.url)
    settings.BATCHEXEC = {**settings.BATCHEXEC, "PLATFORM": "EC2"}
    job_with(tmp_path / "log", memory=1500, queue="delayed-jobs")
    assert worker().work_off() == (1, 0)
    (detail,) = details(client_of(batch), batch)
    assert sizes_of(detail) == {"VCPU": "0.25", "MEMORY": "2048"}
    assert Catalogue(BatchClient()).queue("delayed-jobs").platform == ""


def ecs(*containers: dict[str, Any]) -> dict[str, Any]:
    return {
        "containerProperties": None,
        "ecsProperties": {
            "taskProperties": [{"containers": list(containers), "executionRoleArn": ROLE}]
        },
    }


MAIN = {"name": "main", "image": "x", "resourceRequirements": sized("1", "2048")}
SIDECAR = {
    "name": "sidecar",
    "image": "x",
    "essential": False,
    "resourceRequirements": sized("0.25", "512"),
}


@pytest.mark.parametrize("containers", [[MAIN], [SIDECAR, MAIN], [{**MAIN, "stopTimeout": 120}]])
def test_a_job_runs_in_the_one_essential_container_of_a_definition_with_ecs_properties(
    batch, worker, client_of, tmp_path, containers
):
    client = client_of(batch)
    add_definition(client, "delayed-jobs", **ecs(*containers))
    job = job_with(tmp_path / "log", memory=3000, environment={"COLOUR": "blue"})
    assert worker().work_off() == (1, 0)
    assert lines(tmp_path / "log") == ["performed"]
    assert row(job) is None
    (detail,) = details(client, batch)
    (task,) = detail["ecsProperties"]["taskProperties"]
    (main,) = (one for one in task["containers"] if one["name"] == "main")
    assert {"name": "COLOUR", "value": "blue"} in main["environment"]
    assert {need["type"]: need["value"] for need in main["resourceRequirements"]} == {
        "VCPU": "1",
        "MEMORY": "3072",
    }


def pod(**container: Any) -> dict[str, Any]:
    resources = {"requests": {"cpu": "1", "memory": "1024Mi"}}
    containers = [{"image": "x", "resources": resources, **container}]
    return {
        "jobDefinitionName": "d",
        "jobDefinitionArn": "arn:aws:batch:us-east-1:1:job-definition/d:1",
        "revision": 1,
        "type": "container",
        "eksProperties": {"podProperties": {"containers": containers}},
    }


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, {"name": "Default", "args": ["python", "manage.py", "runjob", "{id}"]}),
        (
            {"name": "main", "command": ["sh"]},
            {"name": "main", "command": ["python"], "args": ["manage.py", "runjob", "{id}"]},
        ),
    ],
)
def test_on_eks_the_pods_container_is_overridden_as_the_api_takes_it(container, expected):
    job = jobs.enqueue(Record())
    marker = BatchJob(
        job_id=str(job.pk), epoch=0, job_name="n", job_queue="q", job_definition="d:1"
    )
    definition = definition_of("d:1", pod(**container))
    resources = Resources(memory=2048).fitted("EKS", definition.sizes)
    request = request_for(job, marker, resources, definition)
    (given,) = request["eksPropertiesOverride"]["podProperties"]["containers"]
    needs = {"cpu": "1", "memory": "2048Mi"}
    assert given == {
        **{
            key: [part.format(id=job.pk) for part in value] if isinstance(value, list) else value
            for key, value in expected.items()
        },
        "env": [{"name": "JOB_ID", "value": str(job.pk)}, {"name": "JOB_EPOCH", "value": "0"}],
        "resources": {"limits": needs, "requests": needs},
    }
    client = boto3.client("batch", region_name="us-east-1")
    shape = client.meta.service_model.operation_model("SubmitJob").input_shape
    assert not ParamValidator().validate(request, shape).has_errors()


@pytest.mark.parametrize("container", [{}, {"name": "main", "command": ["sh"]}])
def test_a_job_runs_in_the_one_container_of_a_pod(batch, worker, client_of, tmp_path, container):
    client = client_of(batch)
    add_queue(client, "cluster", on_eks=True)
    properties = pod(**container)["eksProperties"]
    without = {"containerProperties": None, "platformCapabilities": None}
    add_definition(client, "pod", **without, eksProperties=properties)
    job = job_with(tmp_path / "log", queue="cluster", definition="pod", memory=2048)
    assert worker().work_off() == (1, 0)
    assert lines(tmp_path / "log") == ["performed"]
    assert row(job) is None
    (detail,) = details(client, batch)
    (given,) = detail["eksProperties"]["podProperties"]["containers"]
    assert given["resources"]["limits"] == {"cpu": "1", "memory": "2048Mi"}


def test_a_share_is_the_jobs_or_the_settings_and_only_where_the_queue_has_a_policy(
    batch, worker, client_of, settings, tmp_path
):
    client = client_of(batch)
    add_queue(client, "fair", fair=True)
    settings.BATCHEXEC = {**settings.BATCHEXEC, "SHARE_IDENTIFIER": "usual"}
    job_with(tmp_path / "log", queue="fair", share_identifier="teamA", scheduling_priority=3)
    job_with(tmp_path / "log", queue="fair")
    job_with(tmp_path / "log")
    assert worker().work_off() == (3, 0)
    assert [detail.get("shareIdentifier") for detail in details(client, batch)] == [
        "teamA",
        "usual",
        None,
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"queue": "fair"}, "the job queue 'fair' has a scheduling policy, so each job needs"),
        ({"share_identifier": "a"}, "the job queue 'delayed-jobs' has no scheduling policy"),
        ({"queue": "machines"}, "doesn't fit the job queue 'machines' (EC2)"),
        ({"queue": "machines", "definition": "on-machines", "vcpu": 0.5}, "on EC2 AWS Batch takes"),
        ({"definition": "on-machines"}, "its platformCapabilities lack FARGATE"),
        ({"definition": "two"}, "'two:1' has 2 essential containers"),
        ({"definition": "pod"}, "it is for EKS"),
        ({"definition": "nodes"}, "'nodes:1' has no container that a job could run in"),
        ({"definition": "many-tags", "tags": {"one": "too many"}}, "they are 51"),
        ({"definition": "many-tags:7"}, "no active job definition 'many-tags:7'"),
        ({"definition": "gone:1"}, "'gone:1' is deregistered"),
        ({"queue": "nowhere"}, "no job queue 'nowhere'"),
        ({"environment": {"A": "x" * 7000}}, "container overrides have"),
    ],
)
def test_what_cannot_be_used_fails_the_attempt_in_one_sentence_and_nothing_is_submitted(
    batch, worker, client_of, tmp_path, settings, asked, said
):
    client = client_of(batch)
    add_queue(client, "fair", fair=True)
    add_queue(client, "machines", on_ec2=True)
    add_definition(client, "on-machines", "1", "512", platformCapabilities=["EC2"])
    add_definition(client, "two", **ecs(MAIN, {**MAIN, "name": "second"}))
    containers = {"podProperties": {"containers": [{"image": "x"}]}}
    without = {"containerProperties": None, "platformCapabilities": None}
    add_definition(client, "pod", **without, eksProperties=containers)
    nodes = {"numNodes": 1, "mainNode": 0, "nodeRangeProperties": [{"targetNodes": "0:"}]}
    add_definition(client, "nodes", **{**without, "type": "multinode", "nodeProperties": nodes})
    tags = {f"tag{number}": "x" for number in range(50)}
    add_definition(client, "many-tags", tags=tags, propagateTags=True)
    client.deregister_job_definition(jobDefinition=add_definition(client, "gone"))
    payload = Append(str(tmp_path / "log"))
    payload.batch = asked
    job = jobs.enqueue(payload)
    # The worker's is longer than that of whoever enqueued the job.
    settings.BATCHEXEC = {**settings.BATCHEXEC, "COMMAND": ["x" * 1500]}
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert said.lower() in row(job).last_error.lower()
    assert "Traceback" not in row(job).last_error.splitlines()[0]
    assert "SubmitJob" not in batch.calls()["counts"]
    assert not BatchJob.objects.exists()


def test_a_job_goes_on_to_its_next_queue_after_two_lost_hosts(
    batch, worker, client_of, settings, tmp_path
):
    client = client_of(batch)
    add_queue(client, "spot")
    add_queue(client, "on-demand")
    settings.BATCHEXEC = {**settings.BATCHEXEC, "INFRASTRUCTURE_RETRIES": 9}
    batch.set_faults(["Container:kill:after=0,times=2"])
    job = job_with(tmp_path / "log", queues=["spot", "on-demand"])
    for outcome in ((0, 1), (0, 1), (1, 0)):
        assert worker().work_off() == outcome
        Job.objects.update(state=State.READY)
    queues = [detail["jobQueue"].rpartition("/")[2] for detail in details(client, batch)]
    assert queues == ["spot", "spot", "on-demand"]
    assert row(job) is None


def test_a_job_goes_on_to_its_next_queue_at_no_cost_if_the_first_has_no_room(
    batch, worker, client_of, settings, tmp_path
):
    client = client_of(batch)
    add_queue(client, "spot")
    add_queue(client, "on-demand")
    settings.BATCHEXEC = {**settings.BATCHEXEC, "FALLBACK_AFTER": 0.5}
    job = job_with(tmp_path / "log", queues=["spot", "on-demand"])
    scheduler = batch._scheduler
    room, scheduler.max_running = scheduler.max_running, 0
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 0, 1)
    assert BatchHistory.objects.get().setbacks == 2
    scheduler.max_running = room
    Job.objects.update(state=State.READY)
    with released(tmp_path / "done", once=lambda: row(job) is None):
        assert worker().work_off() == (1, 0)
    queues = [detail["jobQueue"].rpartition("/")[2] for detail in details(client, batch)]
    assert queues == ["spot", "on-demand"]
