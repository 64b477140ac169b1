from __future__ import annotations

import pytest

from batchexec.aws import failures


def detail(status_reason=None, reason=None, exit_code=None, **more):
    container = {"logStreamName": "def/default/1"}
    if reason:
        container["reason"] = reason
    if exit_code is not None:
        container["exitCode"] = exit_code
    return {
        "jobId": "b-1",
        "status": "FAILED",
        "statusReason": status_reason,
        "container": container,
        **more,
    }


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (detail("Essential container in task exited", exit_code=1), failures.APPLICATION),
        (
            detail("Essential container in task exited", "OutOfMemoryError: Container killed", 137),
            failures.OUT_OF_MEMORY,
        ),
        (detail("Task failed to start", "CannotPullContainerError: not found"), failures.START),
        (
            detail("Task failed to start", "ResourceInitializationError: no route"),
            failures.CONFIGURATION,
        ),
        (detail("Host EC2 (instance i-123) terminated.", exit_code=137), failures.HOST_LOST),
        (
            detail("Your Spot Task was interrupted.", exit_code=0, status="SUCCEEDED"),
            failures.HOST_LOST,
        ),
        (detail("Job attempt duration exceeded timeout", exit_code=137), failures.TIMED_OUT),
        (detail("Because I say so", exit_code=143, isTerminated=True), failures.CANCELLED),
        (detail("Canceled by JobStateTimeLimit action due to reason: x"), failures.CAPACITY),
        (detail("ECS was unable to assume the role x"), failures.CONFIGURATION),
        (detail("Something nobody has seen", exit_code=137), failures.UNKNOWN),
        (detail(exit_code=0, status="SUCCEEDED"), failures.UNKNOWN),
        ({"jobId": "b-1", "status": "FAILED"}, failures.UNKNOWN),
        (None, failures.UNKNOWN),
    ],
)
def test_batchs_words_are_classified_and_kept(seen, kind):
    failure = failures.classify(seen)
    assert failure.kind == kind
    if seen:
        for raw in (seen.get("statusReason"), seen.get("container", {}).get("reason"), "b-1"):
            assert str(raw or "") in failure.text


def test_the_container_of_a_job_with_several_is_found():
    containers = [{"exitCode": 9, "reason": "OutOfMemoryError: x", "logStreamName": "s"}]
    seen = {
        "jobId": "b",
        "status": "FAILED",
        "ecsProperties": {"taskProperties": [{"containers": containers}]},
    }
    assert failures.classify(seen).kind == failures.OUT_OF_MEMORY
    assert failures.log_stream(seen) == "s"


@pytest.mark.parametrize(
    "seen",
    [
        detail(
            "Essential container in task exited",
            "OutOfMemoryError: Container killed",
            0,
            attempts=[{}, {}],
            isTerminated=True,
        ),
        {
            "jobId": "b",
            "status": "FAILED",
            "ecsProperties": {"taskProperties": [{"containers": [{"reason": "x"}]}]},
        },
        {"jobId": "b", "status": "RUNNABLE"},
    ],
)
def test_the_essence_of_a_detail_says_all_that_is_looked_at(seen):
    essence = failures.essence({**seen, "jobDefinition": "d", "parameters": {"not": "looked at"}})
    assert failures.classify(essence) == failures.classify(seen)
    assert failures.log_stream(essence) == failures.log_stream(seen)
    assert essence["attempts"] == len(seen.get("attempts", []))
    assert "jobDefinition" not in essence


def test_texts_of_aws_are_such_as_every_database_can_hold():
    detail = {
        "jobId": "1",
        "status": "FAILED",
        "statusReason": "a\x00b\ud800" + "c" * 1000,
        "container": {"reason": "\x00", "logStreamName": "x" * 1000, "exitCode": 1},
    }
    kept = failures.essence(detail)
    assert kept["statusReason"].startswith("a\\x00b\\ud800ccc")
    assert len(kept["statusReason"]) == len(failures.log_stream(kept)) == 512
    assert kept["container"]["reason"] == "\\x00"
    assert kept["container"]["exitCode"] == 1
