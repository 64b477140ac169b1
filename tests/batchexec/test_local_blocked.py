"""Jobs that no compute environment can run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Made, refused, requirements
from tests.processes import wait_for

Servers = Callable[..., LocalBatch]
CAPACITY = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
TOO_SMALL = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"


@pytest.fixture
def made() -> Iterator[Made]:
    """The queues `spot` and `other`, of 2 vCPUs each."""
    with LocalBatch(start_delay=0, allow_short_timeouts=True) as server:
        made = Made(server.url)
        for name, kind in (("spot", "FARGATE_SPOT"), ("other", "FARGATE")):
            made.environment(name, kind, maxvCpus=2)
            made.queue(name, name)
        made.register("job")
        yield made


def submit(made: Made, queue: str, cpus: str = "1", memory: str = "2048") -> str:
    sizes = {"resourceRequirements": requirements(cpus, memory)}
    return made.submit("true", queue=queue, definition="job", overrides=sizes)


def blocked(made: Made, job: str) -> Any:
    return wait_for(
        lambda: next(
            (
                detail
                for detail in made.describe(job)
                if detail["status"] == "RUNNABLE" and ":" in detail.get("statusReason", "")
            ),
            None,
        )
    )


def set_state(made: Made, environment: str, state: str) -> None:
    made.client.update_compute_environment(computeEnvironment=environment, state=state)


def limited(made: Made, reason: str, seconds: int = 1) -> None:
    action = {
        "reason": reason,
        "state": "RUNNABLE",
        "maxTimeSeconds": seconds,
        "action": "CANCEL",
    }
    made.client.update_job_queue(jobQueue="spot", jobStateTimeLimitActions=[action])


def test_a_job_that_is_too_large_stays_runnable(made: Made) -> None:
    large = submit(made, "other", "4", "8192")
    assert blocked(made, large)["statusReason"].startswith(f"{TOO_SMALL} - ")
    assert made.finished(submit(made, "other", "2", "4096"))["status"] == "SUCCEEDED"
    larger = {"maxvCpus": 4}
    made.client.update_compute_environment(computeEnvironment="other", computeResources=larger)
    assert made.finished(large)["status"] == "SUCCEEDED"


def test_a_queue_without_capacity_holds_its_jobs_until_it_has_some(made: Made) -> None:
    set_state(made, "spot", "DISABLED")
    waiting = [submit(made, "spot") for _ in range(3)]
    for job in waiting:
        assert blocked(made, job)["statusReason"].startswith(f"{CAPACITY} - ")
    assert made.finished(submit(made, "other"))["status"] == "SUCCEEDED"
    set_state(made, "spot", "ENABLED")
    for job in waiting:
        assert made.finished(job)["status"] == "SUCCEEDED"


def test_a_blocked_job_is_cancelled_and_terminated_like_another(made: Made) -> None:
    set_state(made, "spot", "DISABLED")
    first, second = submit(made, "spot"), submit(made, "spot")
    blocked(made, first)
    blocked(made, second)
    made.client.cancel_job(jobId=first, reason="elsewhere")
    made.client.terminate_job(jobId=second, reason="elsewhere")
    set_state(made, "spot", "ENABLED")
    for job in (first, second):
        detail = made.finished(job)
        assert (detail["statusReason"], detail["attempts"]) == ("elsewhere", [])


def test_the_queue_cancels_a_job_that_is_blocked_for_too_long(made: Made) -> None:
    limited(made, CAPACITY)
    set_state(made, "spot", "DISABLED")
    detail = made.finished(submit(made, "spot"))
    assert (detail["status"], detail["isCancelled"], detail["attempts"]) == ("FAILED", True, [])
    assert detail["statusReason"] == (
        f"Canceled by JobStateTimeLimit action due to reason: {CAPACITY}"
    )


def test_a_limit_is_for_its_own_reason(made: Made) -> None:
    limited(made, TOO_SMALL)
    set_state(made, "spot", "DISABLED")
    job = submit(made, "spot")
    created = blocked(made, job)["createdAt"]
    wait_for(lambda: time.time() * 1000 > created + 2000)
    assert made.status(job) == "RUNNABLE"
    set_state(made, "spot", "ENABLED")
    assert made.finished(job)["status"] == "SUCCEEDED"


def test_the_time_until_a_job_is_cancelled(local_batch: Servers) -> None:
    made = Made(local_batch().url)
    made.environment("spot", "FARGATE_SPOT")
    made.queue("spot", "spot")
    for seconds in (599, 86_401):
        text = refused(limited, made, CAPACITY, seconds)
        assert f"maxTimeSeconds must be 600 to 86400, not {seconds}." in text
    for seconds in (600, 86_400):
        limited(made, CAPACITY, seconds)
