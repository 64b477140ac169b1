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


ESSENTIAL = "Essential container in task exited"
START = "Task failed to start"
LIMIT = "Canceled by JobStateTimeLimit action due to reason: "
PULL = "CannotPullContainerError: Error response from daemon: i/o timeout"
NO_GROUP = "failed to create task: The specified log group does not exist."

#: What AWS Batch says, or is reported to say: status reason, container's reason, exit
#: code, class.
TEXTS: list[tuple[str | None, str | None, int | None, str]] = [
    (ESSENTIAL, None, 1, failures.APPLICATION),
    (START, PULL, None, failures.START),
    (PULL, None, None, failures.START),
    (START, "CannotStartContainerError: exec: no such file", None, failures.START),
    (ESSENTIAL, "CannotStartContainerError: exec format error", 127, failures.START),
    (START, f"CannotStartContainerError: {NO_GROUP}", None, failures.CONFIGURATION),
    (START, f"ResourceInitializationError: {NO_GROUP}", None, failures.CONFIGURATION),
    (START, "ResourceInitializationError: no route", None, failures.CONFIGURATION),
    ("ResourceInitializationError: no secret", None, 1, failures.CONFIGURATION),
    (
        ESSENTIAL,
        "OutOfMemoryError: Container killed due to memory usage",
        137,
        failures.OUT_OF_MEMORY,
    ),
    (ESSENTIAL, None, 137, failures.APPLICATION),
    ("Host EC2 (instance i-123) terminated.", None, 137, failures.HOST_LOST),
    ("Host EC2 (instance i-123) stopped.", None, None, failures.HOST_LOST),
    ("Your Spot Task was interrupted.", None, 143, failures.HOST_LOST),
    (
        "Timeout waiting for network interface provisioning to complete.",
        None,
        None,
        failures.HOST_LOST,
    ),
    (
        "ECS is performing maintenance on the underlying infrastructure hosting the task.",
        None,
        143,
        failures.HOST_LOST,
    ),
    (
        ESSENTIAL,
        "CannotInspectContainerError: Could not transition to inspecting",
        None,
        failures.HOST_LOST,
    ),
    (START, "DockerTimeoutError: Could not transition to created", None, failures.HOST_LOST),
    (START, "CannotCreateContainerError: API error (500)", None, failures.HOST_LOST),
    (START, "AGENT", None, failures.HOST_LOST),
    ("AGENT", None, None, failures.HOST_LOST),
    ("Job attempt duration exceeded timeout", None, 137, failures.TIMED_OUT),
    (f"{LIMIT}CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", None, None, failures.CAPACITY),
    (f"{LIMIT}MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", None, None, failures.CONFIGURATION),
    (f"{LIMIT}ACTION_REQUIRED - the queue is blocked", None, None, failures.CONFIGURATION),
    ("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", None, None, failures.CAPACITY),
    ("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE", None, None, failures.CONFIGURATION),
    ("UNDETERMINED - Batch can't say why the job waits", None, None, failures.CAPACITY),
    ("ACTION_REQUIRED - Service role is wrong", None, None, failures.CONFIGURATION),
    ("ECS was unable to assume the role arn:aws:iam::1:role/x", None, None, failures.CONFIGURATION),
    ("Container Overrides length must be at most 8192", None, None, failures.CONFIGURATION),
    ("Dependent job failed", None, None, failures.CONFIGURATION),
    ("Dependent Job failed", None, None, failures.CONFIGURATION),
    ("Something nobody has seen", None, 137, failures.UNKNOWN),
    (None, None, 0, failures.UNKNOWN),
]


@pytest.mark.parametrize(("status_reason", "reason", "exit_code", "kind"), TEXTS)
def test_every_text_that_aws_is_known_to_write_has_its_class(
    status_reason, reason, exit_code, kind
):
    assert failures.classify(detail(status_reason, reason, exit_code)).kind == kind


@pytest.mark.parametrize("flag", ["isTerminated", "isCancelled"])
@pytest.mark.parametrize(
    ("status_reason", "kind"),
    [
        ("Job attempt duration exceeded timeout", failures.TIMED_OUT),
        (f"{LIMIT}CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", failures.CAPACITY),
        (f"{LIMIT}MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE", failures.CONFIGURATION),
        ("Your Spot Task was interrupted.", failures.HOST_LOST),
        ("Because I say so", failures.CANCELLED),
        ("OutOfMemoryError, says the operator", failures.CANCELLED),
    ],
)
def test_a_sentence_that_only_aws_writes_counts_before_the_flags(flag, status_reason, kind):
    assert failures.classify(detail(status_reason, exit_code=143, **{flag: True})).kind == kind


@pytest.mark.parametrize(
    ("status_reason", "reason", "cure"),
    [
        (START, f"CannotStartContainerError: {NO_GROUP}", "create the log group"),
        ("Container Overrides length must be at most 8192", None, "shorter"),
    ],
)
def test_a_configuration_that_can_be_mended_is_told_with_its_cure(status_reason, reason, cure):
    text = failures.classify(detail(status_reason, reason)).text
    assert "what to do" in text
    assert cure in text


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (
            detail("Your Spot Task was interrupted.", exit_code=0, status="SUCCEEDED"),
            failures.HOST_LOST,
        ),
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
