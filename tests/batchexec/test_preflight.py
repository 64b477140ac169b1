"""What no job could be submitted with is refused before a worker reserves one."""

from __future__ import annotations

from typing import Any

import pytest

import jobs
from batchexec.checks import check_aws
from tests.batchexec.places import add_definition, add_queue
from tests.processes import row
from tests.samples import Append, Record

pytestmark = pytest.mark.django_db(transaction=True)


def made(client: Any) -> None:
    """One of each that can't be used, or only by some jobs."""
    add_queue(client, "machines", on_ec2=True)
    add_queue(client, "fair", fair=True)
    add_queue(client, "off")
    client.update_job_queue(jobQueue="off", state="DISABLED")
    without = {"containerProperties": None, "platformCapabilities": None}
    nodes = {"numNodes": 1, "mainNode": 0, "nodeRangeProperties": [{"targetNodes": "0:"}]}
    add_definition(client, "nodes", **{**without, "type": "multinode", "nodeProperties": nodes})
    add_definition(client, "on-machines", "1", "512", platformCapabilities=["EC2"])
    client.deregister_job_definition(jobDefinition=add_definition(client, "gone"))


WRONG = [
    ({"JOB_QUEUE": "nowhere"}, "no job queue 'nowhere'"),
    ({"JOB_QUEUE": "off"}, "'off' is disabled"),
    ({"JOB_QUEUE": "machines"}, "doesn't fit the job queue 'machines' (EC2)"),
    ({"JOB_DEFINITION": "nodes"}, "has no container that a job could run in"),
    ({"JOB_DEFINITION": "on-machines"}, "its platformCapabilities lack FARGATE"),
    ({"JOB_DEFINITION": "gone"}, "no active job definition 'gone'"),
    ({"JOB_DEFINITION": "gone:1"}, "'gone:1' is deregistered"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_what_no_job_could_use_is_one_sentence_of_the_deployment_check(
    batch, client_of, settings, options, said
):
    made(client_of(batch))
    settings.BATCHEXEC = options
    (warning,) = check_aws(None)
    assert said in warning.msg
    assert len(warning.msg.splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"JOB_QUEUE": "machines", "JOB_DEFINITION": "on-machines"},
        {"JOB_QUEUE": "fair"},
        {"JOB_QUEUE": "fair", "SHARE_IDENTIFIER": "usual"},
    ],
)
def test_what_jobs_can_use_is_no_finding(batch, client_of, settings, options):
    made(client_of(batch))
    settings.BATCHEXEC = options
    assert check_aws(None) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"JOB_QUEUE": "fair"}, "has a scheduling policy, so each job needs a share"),
        (
            {"JOB_QUEUE": "machines", "JOB_DEFINITION": "on-machines"},
            "of the platform EC2, and BATCHEXEC['PLATFORM'] says FARGATE",
        ),
    ],
)
def test_what_only_some_jobs_can_use_is_logged(batch, client_of, settings, caplog, options, said):
    made(client_of(batch))
    settings.BATCHEXEC = options
    assert check_aws(None) == []
    assert said in caplog.text


@pytest.mark.parametrize(("options", "said"), [WRONG[1], WRONG[3]])
def test_a_worker_does_not_start_with_it(batch, start, client_of, options, said):
    made(client_of(batch))
    job = jobs.enqueue(Record())
    started = start(
        "jobworker", "--batch", **{f"BATCHEXEC_{key}": value for key, value in options.items()}
    )
    assert started.wait() == 1
    assert said in started.output
    assert "Traceback" not in started.output
    assert (row(job).state, row(job).attempts, row(job).epoch) == ("ready", 0, 0)


def test_a_role_without_the_rights_to_look_is_refused_in_one_sentence(
    worker, local_batch, start, tmp_path
):
    statement = {"Effect": "Allow", "Action": "batch:SubmitJob", "Resource": "*"}
    server = local_batch(policy={"Version": "2012-10-17", "Statement": [statement]})
    started = start("jobworker", "--batch", AWS_ENDPOINT_URL_BATCH=server.url)
    assert started.wait() == 1
    assert "batch:DescribeJobDefinitions" in started.output
    assert "Traceback" not in started.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobworker", "--batch"),
        ("batchjobs", "reconcile"),
        ("check", "--deploy", "--tag", "batchexec"),
    ],
)
def test_without_boto3_a_command_says_what_to_install(start, tmp_path, arguments):
    for name in ("boto3", "botocore"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}')")
    jobs.enqueue(Append("x"))
    started = start(*arguments, PYTHONPATH=str(tmp_path))
    started.wait()
    assert "pip install 'django-delayed-batch[batch]'" in started.output
    assert "Traceback" not in started.output


def test_without_boto3_the_markers_are_shown_all_the_same(start, tmp_path):
    for name in ("boto3", "botocore"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}')")
    started = start("batchjobs", "list", PYTHONPATH=str(tmp_path))
    assert started.wait() == 0
    assert "Nothing is in AWS Batch." in started.output
