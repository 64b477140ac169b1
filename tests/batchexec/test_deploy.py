"""The templates, deployed on moto's CloudFormation: what they make fits together, down
to a job that runs in it with the rights of the worker's role alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import jobs
from batchexec.executions import traces
from jobs.models import State
from posts.jobs import DummyJob
from tests.batchexec.deployments import LEFT_OUT, Account, account, call
from tests.processes import ROOT, Process, database_url, environment, row, wait_for

pytestmark = LEFT_OUT

OPTIONS = (
    *(
        "--read-only-root",
        "true",
        "--spot",
        "true",
        "--machines",
        "g5.xlarge",
        "--allowed-hosts",
        "127.0.0.1,localhost",
    ),
    *(
        "--web-count",
        "1",
        "--env",
        "JOBS_KEEP_SUCCEEDED_FOR=600",
        "--env",
        "JOBS_LEASE=600",
        "--env",
        "BATCHEXEC_POLL_INTERVAL=0.2",
    ),
)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("account")) as made:
        made.deploy("--image", made.image(), *OPTIONS)
        yield made


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container["environment"]}


def here(command: list[str]) -> list[str]:
    """A container's command, as it starts on this machine."""
    assert command[:2] == ["python", "manage.py"]
    return [sys.executable, *command[1:]]


@pytest.mark.django_db(transaction=True)
def test_a_job_runs_in_what_the_templates_made_with_the_rights_of_the_workers_role(
    deployed: Account, start: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What containers find instead of their secrets.
    monkeypatch.setenv("DATABASE_URL", database_url())
    batch = deployed.client("batch")
    (queue,) = batch.describe_job_queues(jobQueues=["shop"])["jobQueues"]
    batch.create_job_queue(
        jobQueueName="someone-elses",
        priority=1,
        computeEnvironmentOrder=queue["computeEnvironmentOrder"],
    )
    deployed.server.enforce(deployed.policy(deployed.outputs("roles")["WorkerRoleArn"]))
    deployed.server.reset_calls()
    container = deployed.container("shop-worker")
    told = variables(container)
    plain = jobs.enqueue(DummyJob("Hello from the templates!"))
    spot, elsewhere = DummyJob("on Spot"), DummyJob("nowhere")
    spot.batch = {"queue": "shop-spot", "tags": {"team": "a"}}
    elsewhere.batch = {"queue": "someone-elses"}
    elsewhere.max_attempts = 1
    spot_job, denied = jobs.enqueue(spot), jobs.enqueue(elsewhere)

    command = container["command"]
    worker = start(*command[2:], **told, AWS_ENDPOINT_URL=deployed.server.url)
    wait_for(lambda: row(plain).state == State.SUCCEEDED, what="the job succeeded")
    wait_for(lambda: row(spot_job).state == State.SUCCEEDED, what="the other one, too")
    wait_for(lambda: row(denied).state == State.FAILED, what="the third was refused")
    # Else the worker would leave one without AWS Batch's last word.
    wait_for(lambda: traces(str(plain.pk)), what="AWS Batch said that it is over")
    check = container["healthCheck"]["command"]
    assert check[0] == "CMD"
    done = subprocess.run(
        here(check[1:]), cwd=ROOT, env=environment(**told), capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    worker.send(15)
    assert worker.wait() == 0

    # The policy was in force, and what the worker needed is in it.
    assert "not authorized to perform: batch:SubmitJob" in row(denied).last_error
    # The log is in the group that the template made, where the admin's role may read.
    (trace,) = traces(str(plain.pk))
    assert trace.job_queue.endswith("shop")
    assert trace.job_definition == deployed.outputs("batch")["JobDefinition"]
    events = deployed.client("logs").get_log_events(
        logGroupName="/delayed-jobs/shop/jobs", logStreamName=trace.log_stream
    )["events"]
    assert "Hello from the templates!" in [event["message"] for event in events]
    assert trace.log_stream.startswith("job/")


def test_what_is_done_once_and_what_is_checked_are_commands_that_work(
    deployed: Account, transactional_db: None
) -> None:
    for family, end in (("shop-migrate", "No migrations to apply."), ("shop-check", "in time.")):
        command = here(deployed.container(family)["command"])
        told = variables(deployed.container(family))
        done = subprocess.run(
            command, cwd=ROOT, env=environment(**told), capture_output=True, text=True, timeout=300
        )
        assert (done.returncode, done.stdout.strip().endswith(end)) == (0, True), done


def test_containers_have_the_same_settings_and_their_secrets_by_reference(
    deployed: Account,
) -> None:
    arn = deployed.outputs("batch")["JobDefinition"]
    (definition,) = deployed.client("batch").describe_job_definitions(jobDefinitions=[arn])[
        "jobDefinitions"
    ]
    properties = definition["containerProperties"]
    assert properties["command"][:3] == ["python", "manage.py", "runjob"]
    assert definition["retryStrategy"] == {"attempts": 1}
    assert properties["image"].startswith(f"{deployed.image().partition('@')[0]}@sha256:")
    families = ("shop-migrate", "shop-worker", "shop-web", "shop-check")
    containers = [properties, *map(deployed.container, families)]
    for container in containers:
        assert variables(container)["JOBS_KEEP_SUCCEEDED_FOR"] == "600"
        assert variables(container)["ALLOWED_HOSTS"] == "127.0.0.1,localhost"
        assert {one["name"] for one in container["secrets"]} == {"DATABASE_URL", "SECRET_KEY"}
        assert "s3cret-word" not in json.dumps(container)
    (secret,) = {
        one["valueFrom"]
        for container in containers
        for one in container["secrets"]
        if one["name"] == "DATABASE_URL"
    }
    value = deployed.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    assert value == deployed.url_file.read_text().strip()
    allowed = deployed.policy(deployed.outputs("roles")["ExecutionRoleArn"])["Statement"]
    (reads,) = [one for one in allowed if one["Sid"] == "ReadSecrets"]
    assert secret in reads["Resource"]


def test_status_shows_all_of_it_and_whether_it_is_well(deployed: Account) -> None:
    with pytest.raises(SystemExit):  # moto starts no task
        call("status", "--name", "shop")
    with pytest.raises(SystemExit) as ended:
        call("status", "--name", "nothing-there")
    assert ended.value.code == 1


def test_a_second_environment_shares_the_account_and_the_image(
    deployed: Account,
) -> None:
    other = Account.__new__(Account)
    other.__dict__.update(deployed.__dict__, name="shop-staging")
    other.deploy("--image", other.image(), "--addresses", "10.21", "--no-migrate")
    assert other.outputs("batch")["JobQueue"] == "shop-staging"
    worker = other.policy(other.outputs("roles")["WorkerRoleArn"])
    named = [arn for one in worker["Statement"] for arn in one["Resource"] if "job-queue" in arn]
    assert named
    assert all("/shop-staging" in arn for arn in named)
    other_secret = other.container("shop-staging-worker")["secrets"]
    assert other_secret != deployed.container("shop-worker")["secrets"]
