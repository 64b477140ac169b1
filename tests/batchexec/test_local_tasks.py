"""Which definitions take which overrides, jobs of `ecsProperties`, who gets TERM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch, refused, requirements
from tests.processes import wait_for

ROLE = "arn:aws:iam::123456789012:role/execution"
MAIN = {"name": "main", "image": "x", "resourceRequirements": requirements("1", "2048")}
HELPER = {"name": "helper", "image": "y", "essential": False}


@pytest.fixture
def batch(local_batch: Callable[..., LocalBatch]) -> Batch:
    return Batch(local_batch(start_delay=0, stop_grace=1).url)


def register(batch: Batch, name: str, *containers: dict[str, Any], **task: Any) -> None:
    properties = {"executionRoleArn": ROLE, "containers": list(containers), **task}
    batch.client.register_job_definition(
        jobDefinitionName=name,
        type="container",
        platformCapabilities=["FARGATE"],
        ecsProperties={"taskProperties": [properties]},
    )


def submit(batch: Batch, definition: str, *containers: dict[str, Any], **options: Any) -> str:
    reply = batch.client.submit_job(
        jobName="a-job",
        jobQueue="delayed-jobs",
        jobDefinition=definition,
        ecsPropertiesOverride={"taskProperties": [{"containers": list(containers)}]},
        **options,
    )
    return str(reply["jobId"])


def main_of(detail: Any) -> Any:
    (task,) = detail["ecsProperties"]["taskProperties"]
    return task["containers"][0]


def test_the_essential_container_of_a_task_runs_with_its_overrides(batch: Batch) -> None:
    register(batch, "task", {**MAIN, "environment": [{"name": "A", "value": "a"}]}, HELPER)
    variables = [{"name": "B", "value": "b"}, {"name": "C", "value": ""}]
    command = ["sh", "-c", "echo $A $B; exit 5"]
    override = {"name": "main", "command": command, "environment": variables}
    detail = batch.finished(submit(batch, "task", override))
    assert (detail["status"], "container" in detail) == ("FAILED", False)
    main = main_of(detail)
    assert (main["name"], main["exitCode"]) == ("main", 5)
    assert main["environment"] == [{"name": "A", "value": "a"}, {"name": "B", "value": "b"}]
    assert main["logStreamName"].startswith("task/main/")
    (attempt,) = detail["attempts"]
    (container,) = attempt["taskProperties"][0]["containers"]
    assert (container["name"], container["exitCode"]) == ("main", 5)
    assert attempt["taskProperties"][0]["taskArn"].startswith("arn:aws:ecs:")
    lines = wait_for(lambda: _lines(batch, main["logStreamName"]))
    assert lines == ["a b"]


def _lines(batch: Batch, stream: str) -> list[str]:
    logs = batch.logs = batch.logs or batch._logs()
    reply = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)
    return [event["message"] for event in reply["events"]]


def test_a_task_takes_only_its_own_overrides(batch: Batch) -> None:
    register(batch, "task", MAIN)
    text = refused(batch.submit, "true", definition="task")
    assert "containerOverrides should not be set for a job definition with ecsProperties" in text
    text = refused(submit, batch, "delayed-jobs", {"name": "main"})
    assert "ecsPropertiesOverride should not be set for a job definition with contain" in text
    text = refused(submit, batch, "task", {"name": "other", "command": ["true"]})
    assert "has no container 'other', only main" in text
    big = {"name": "main", "resourceRequirements": requirements("1", "1024")}
    assert "(1.00 vCPU, 1024 MiB) not valid" in refused(submit, batch, "task", big)


@pytest.mark.parametrize(
    ("containers", "task", "message"),
    [
        ([], {}, "one task of 1 to 10 containers"),
        ([{**HELPER, "name": str(n)} for n in range(11)], {}, "one task of 1 to 10 containers"),
        ([HELPER], {}, "At least one container must be essential."),
        ([{**MAIN, "stopTimeout": 121}], {}, "stopTimeout must be 2 to 120 seconds, not 121."),
        ([{**MAIN, "stopTimeout": 1}], {}, "stopTimeout must be 2 to 120 seconds, not 1."),
        ([MAIN], {"executionRoleArn": ""}, "executionRoleArn is required"),
    ],
)
def test_tasks_that_are_refused(
    batch: Batch, containers: list[dict[str, Any]], task: dict[str, Any], message: str
) -> None:
    assert message in refused(register, batch, "task", *containers, **task)


def test_a_task_of_two_essential_containers_is_not_for_localbatch(batch: Batch) -> None:
    register(batch, "task", MAIN, {**HELPER, "essential": True})
    assert "localbatch runs one essential container" in refused(submit, batch, "task")


FOREVER = "while :; do sleep 0.1; done"


def test_a_task_has_the_time_to_stop_that_it_asks_for(batch: Batch, tmp_path: Path) -> None:
    # The server's second is AWS's 30.
    register(batch, "long", {**MAIN, "stopTimeout": 90})
    command = ["sh", "-c", f"trap '' TERM; touch {tmp_path}/ready; {FOREVER}"]
    job = submit(batch, "long", {"name": "main", "command": command})
    wait_for((tmp_path / "ready").exists)
    started = batch.until_status(job, "RUNNING")
    batch.client.terminate_job(jobId=job, reason="x")
    detail = batch.finished(job)
    assert main_of(detail)["exitCode"] == 137
    assert detail["stoppedAt"] - started["startedAt"] >= 3000


# Multi-node jobs


def test_multi_node_jobs_take_no_container_overrides(batch: Batch) -> None:
    node = {"targetNodes": "0:", "container": {"image": "x"}}
    batch.client.register_job_definition(
        jobDefinitionName="nodes",
        type="multinode",
        nodeProperties={"numNodes": 2, "mainNode": 0, "nodeRangeProperties": [node]},
    )
    text = refused(batch.submit, "true", definition="nodes")
    assert "should not be set for multi-node parallel jobs" in text


# TERM


def test_only_the_first_process_is_told_to_stop(
    local_batch: Callable[..., LocalBatch], tmp_path: Path
) -> None:
    batch = Batch(local_batch(start_delay=0, stop_grace=3600).url)
    child = f"trap 'touch {tmp_path}/child-told' TERM; touch {tmp_path}/ready; {FOREVER}"
    wait = f"until test -e {tmp_path}/ready; do sleep 0.05; done"
    end = f"trap 'touch {tmp_path}/told; sleep 0.3; exit 7' TERM"
    job = batch.submit(
        "sh", "-c", f'{end}; (sh -c "$0") & {wait}; touch {tmp_path}/go; wait', child
    )
    wait_for((tmp_path / "go").exists)
    batch.client.terminate_job(jobId=job, reason="x")
    assert batch.finished(job)["container"]["exitCode"] == 7
    assert (tmp_path / "told").exists()
    assert not (tmp_path / "child-told").exists()
