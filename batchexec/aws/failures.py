"""Why a Batch job failed, by AWS Batch's own words, which are always quoted too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.text import storable

APPLICATION = "application"
OUT_OF_MEMORY = "out of memory"
START = "image or start"
HOST_LOST = "Spot or host lost"
TIMED_OUT = "time-out"
CANCELLED = "cancelled"
CAPACITY = "capacity"
CONFIGURATION = "configuration"
UNKNOWN = "unknown"

#: Failures that neither the job nor anybody's configuration has caused.
INFRASTRUCTURE = frozenset({HOST_LOST})

#: The beginning of `statusReason`, or of the container's `reason`, and the class it
#: means. The first that fits counts. The exit status alone means nothing: 137 may be
#: any of four.
REASONS: tuple[tuple[str, str], ...] = (
    ("Job attempt duration exceeded timeout", TIMED_OUT),
    ("Host EC2", HOST_LOST),
    ("Your Spot Task was interrupted", HOST_LOST),
    ("Timeout waiting for network interface provisioning", HOST_LOST),
    ("OutOfMemoryError", OUT_OF_MEMORY),
    ("Canceled by JobStateTimeLimit", CAPACITY),
    ("CAPACITY:", CAPACITY),
    ("MISCONFIGURATION:", CONFIGURATION),
    ("ECS was unable to assume the role", CONFIGURATION),
    ("ResourceInitializationError", CONFIGURATION),
    ("CannotPullContainerError", START),
    ("CannotStartContainerError", START),
    ("Task failed to start", START),
    ("Dependent job failed", CONFIGURATION),
    ("Essential container in task exited", APPLICATION),
)

#: What the worker reads of a JobDetail, and of its container.
LOOKED_AT = ("jobId", "status", "statusReason", "createdAt", "isCancelled", "isTerminated")
LOOKED_AT_OF_CONTAINER = ("exitCode", "reason", "logStreamName")


#: Of AWS Batch's texts, in characters: the column of a log stream's name.
LONGEST_TEXT = 512


@dataclass(frozen=True)
class Failure:
    """A class of failure, and a sentence for `last_error`."""

    kind: str
    text: str


def classify(detail: Mapping[str, Any] | None) -> Failure:
    """Why a Batch job ended without an outcome, with its reason, exit code, log stream.

    `detail` is a JobDetail, or its `essence`; None if AWS Batch has forgotten the job.
    """
    if detail is None:
        return Failure(UNKNOWN, "AWS Batch no longer knows the job, and no outcome was recorded.")
    container = _container(detail)
    status_reason = str(detail.get("statusReason") or "")
    reason = str(container.get("reason") or "")
    kind = _kind(detail, status_reason, reason)
    facts = [
        f"Batch job {detail.get('jobId')} ended as {detail.get('status')} "
        f"without recording an outcome ({kind})",
        f"status reason: {status_reason or 'none'}",
        f"container reason: {reason}" if reason else "",
        f"exit code: {container.get('exitCode', 'none')}",
        f"log stream: {container.get('logStreamName') or 'none'}",
    ]
    return Failure(kind, "; ".join(fact for fact in facts if fact))


def essence(detail: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker reads of a JobDetail; a thousand whole ones would be too large.

    Its `attempts` is their number. Its texts are such as every database can hold.
    """
    container = _container(detail)
    return {
        **_storable(detail, LOOKED_AT),
        "container": _storable(container, LOOKED_AT_OF_CONTAINER),
        "attempts": len(detail.get("attempts", ())),
    }


def _storable(detail: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    kept = {name: detail[name] for name in names if name in detail}
    return {
        name: storable(value)[:LONGEST_TEXT] if isinstance(value, str) else value
        for name, value in kept.items()
    }


def log_stream(detail: Mapping[str, Any]) -> str:
    """The name of the log stream of the last attempt; empty if it has none."""
    return str(_container(detail).get("logStreamName") or "")


def _kind(detail: Mapping[str, Any], status_reason: str, reason: str) -> str:
    if detail.get("isTerminated") or detail.get("isCancelled"):
        return CANCELLED
    for beginning, kind in REASONS:
        # The container's own reason says more than "Essential container in task
        # exited".
        if reason.startswith(beginning) or status_reason.startswith(beginning):
            return kind
    return UNKNOWN


def _container(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """The last attempt's container; a job with several has them in ecsProperties."""
    if container := detail.get("container"):
        return dict(container)
    for task in detail.get("ecsProperties", {}).get("taskProperties", []):
        for container in task.get("containers", []):
            return dict(container)
    return {}
