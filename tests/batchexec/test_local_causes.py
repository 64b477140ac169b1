"""Failures that AWS has and no job of ours brings about, in AWS's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchexec.local.causes import BEFORE_START, CAUSES, WHILE_RUNNING
from batchexec.local.faults import FaultError, parse
from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch


@pytest.fixture
def batch(server: LocalBatch) -> Batch:
    return Batch(server.url)


@pytest.mark.parametrize("cause", BEFORE_START)
def test_a_container_is_not_started(
    server: LocalBatch, batch: Batch, cause: str, tmp_path: Path
) -> None:
    server.set_faults([f"Container:fails:cause={cause}"])
    detail = batch.finished(batch.submit("touch", f"{tmp_path}/ran"))
    ending = BEFORE_START[cause]
    assert (detail["status"], detail["statusReason"]) == ("FAILED", ending.status_reason)
    assert detail["container"].get("reason") == ending.reason
    assert not {"exitCode", "logStreamName"} & set(detail["container"])
    assert "startedAt" not in detail
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("cause", WHILE_RUNNING)
def test_a_container_is_lost(server: LocalBatch, batch: Batch, cause: str, tmp_path: Path) -> None:
    server.set_faults([f"Container:fails:cause={cause},when={tmp_path}/now"])
    job = batch.submit("sh", "-c", "echo ready; exec sleep 600")
    batch.until_output(job, "ready")
    (tmp_path / "now").touch()
    detail = batch.finished(job)
    ending = WHILE_RUNNING[cause]
    assert (detail["status"], detail["statusReason"]) == ("FAILED", ending.status_reason)
    assert detail["container"].get("reason") == ending.reason
    assert "exitCode" not in detail["container"]


def test_a_lost_start_is_tried_again_as_the_retry_strategy_says(
    server: LocalBatch, batch: Batch
) -> None:
    server.set_faults(["Container:fails:cause=start-timeout,times=1"])
    rules = [
        {"onReason": "DockerTimeoutError*", "action": "RETRY"},
        {"onExitCode": "*", "action": "EXIT"},
    ]
    job = batch.submit("true", retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    detail = batch.finished(job)
    assert (detail["status"], len(detail["attempts"])) == ("SUCCEEDED", 2)


def test_a_reason_is_cut_as_aws_cuts_it() -> None:
    for ending in [*BEFORE_START.values(), *WHILE_RUNNING.values()]:
        assert len(ending.reason or "") <= 255


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("Container:fails", "has no cause, which is one of pull-not-found"),
        ("Container:fails:cause=fire", "has cause='fire', which is none of pull-not-found"),
    ],
)
def test_another_cause_is_one_clear_sentence(spec: str, message: str) -> None:
    with pytest.raises(FaultError) as error:
        parse(spec)
    assert message in str(error.value)
    assert all(cause in str(error.value) for cause in CAUSES)
