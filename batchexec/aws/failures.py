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


@dataclass(frozen=True)
class Words:
    """Of AWS's texts: how one begins, and what it may have to contain besides."""

    beginning: str
    kind: str
    containing: str = ""
    cure: str = ""

    def fit(self, text: str) -> bool:
        said = text.casefold()
        return said.startswith(self.beginning.casefold()) and self.containing.casefold() in said


LOG_GROUP = "create the log group that the job definition names, or let it be created"
OVERRIDES = "make the job's environment and command shorter"

#: Sentences that only AWS itself writes. They count before `isCancelled` and
#: `isTerminated`, which AWS may set, too, when it ends a Batch job by itself.
OF_AWS: tuple[Words, ...] = (
    Words("Job attempt duration exceeded timeout", TIMED_OUT),
    Words("Canceled by JobStateTimeLimit", CONFIGURATION, "MISCONFIGURATION"),
    Words("Canceled by JobStateTimeLimit", CONFIGURATION, "ACTION_REQUIRED"),
    Words("Canceled by JobStateTimeLimit", CAPACITY),
    Words("Host EC2", HOST_LOST),
    Words("Your Spot Task was interrupted", HOST_LOST),
    Words("ECS is performing maintenance on the underlying infrastructure", HOST_LOST),
)

#: The beginning of `statusReason`, or of the container's `reason`, and the class it
#: means. The first that fits counts. The exit status alone means nothing: 137 may be
#: any of four.
REASONS: tuple[Words, ...] = (
    Words("Timeout waiting for network interface provisioning", HOST_LOST),
    Words("CannotInspectContainerError", HOST_LOST),
    Words("CannotCreateContainerError", HOST_LOST),
    Words("DockerTimeoutError", HOST_LOST),
    Words("AGENT", HOST_LOST),
    Words("OutOfMemoryError", OUT_OF_MEMORY),
    Words("CAPACITY:", CAPACITY),
    Words("UNDETERMINED", CAPACITY),
    Words("MISCONFIGURATION:", CONFIGURATION),
    Words("ACTION_REQUIRED", CONFIGURATION),
    Words("Container Overrides length must be at most", CONFIGURATION, cure=OVERRIDES),
    Words("ECS was unable to assume the role", CONFIGURATION),
    Words("ResourceInitializationError", CONFIGURATION, "log group", LOG_GROUP),
    Words("ResourceInitializationError", CONFIGURATION),
    Words("CannotStartContainerError", CONFIGURATION, "log group", LOG_GROUP),
    Words("CannotPullContainerError", START),
    Words("CannotStartContainerError", START),
    Words("Task failed to start", START),
    Words("Dependent job failed", CONFIGURATION),
    Words("Essential container in task exited", APPLICATION),
)

#: What the worker reads of a JobDetail, and of its container.
LOOKED_AT = (
    "jobId",
    "status",
    "statusReason",
    "createdAt",
    "startedAt",
    "stoppedAt",
    "isCancelled",
    "isTerminated",
)
LOOKED_AT_OF_CONTAINER = ("exitCode", "reason", "logStreamName")


#: Of AWS Batch's texts, in characters: the column of a log stream's name.
LONGEST_TEXT = 512
#: The same of a status; the longest that AWS has, SUBMITTED, has nine.
LONGEST_STATUS = 16


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
    container = container_of(detail)
    status_reason = str(detail.get("statusReason") or "")
    reason = str(container.get("reason") or "")
    kind, cure = _kind(detail, status_reason, reason)
    facts = [
        f"Batch job {detail.get('jobId')} ended as {detail.get('status')} "
        f"without recording an outcome ({kind})",
        f"status reason: {status_reason or 'none'}",
        f"container reason: {reason}" if reason else "",
        f"exit code: {container.get('exitCode', 'none')}",
        f"log stream: {container.get('logStreamName') or 'none'}",
        f"what to do: {cure}" if cure else "",
    ]
    return Failure(kind, "; ".join(fact for fact in facts if fact))


def essence(detail: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker reads of a JobDetail; a thousand whole ones would be too large.

    Its `attempts` is their number; `waits_since` is the end of the last of them, or its
    creation. Its texts are such as every database can hold.
    """
    container, attempts = container_of(detail), detail.get("attempts") or ()
    began = attempts[-1].get("stoppedAt") if attempts else detail.get("createdAt")
    return {
        **_storable(detail, LOOKED_AT),
        "status": storable(str(detail.get("status")))[:LONGEST_STATUS],
        "container": _storable(container, LOOKED_AT_OF_CONTAINER),
        "sizes": sizes(detail),
        "attempts": len(attempts),
        "waits_since": began,
    }


def _storable(detail: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    kept = {name: detail[name] for name in names if name in detail}
    return {
        name: storable(value)[:LONGEST_TEXT] if isinstance(value, str) else value
        for name, value in kept.items()
    }


def log_stream(detail: Mapping[str, Any]) -> str:
    """The name of the log stream of the last attempt; empty if it has none."""
    return str(container_of(detail).get("logStreamName") or "")


def sizes(detail: Mapping[str, Any]) -> dict[str, str]:
    """VCPU, MEMORY and GPU, as the Batch job got them."""
    if "sizes" in detail:
        return dict(detail["sizes"])
    needs = container_of(detail).get("resourceRequirements") or ()
    return {str(need.get("type")): str(need.get("value"))[:16] for need in needs}


def _kind(detail: Mapping[str, Any], status_reason: str, reason: str) -> tuple[str, str]:
    """The class, and what cures it, if that can be said."""
    if found := _first_that_fits(OF_AWS, status_reason, reason):
        return found.kind, found.cure
    if detail.get("isTerminated") or detail.get("isCancelled"):
        return CANCELLED, ""
    if found := _first_that_fits(REASONS, status_reason, reason):
        return found.kind, found.cure
    return UNKNOWN, ""


def _first_that_fits(known: Iterable[Words], *said: str) -> Words | None:
    # The container's own reason says more than "Essential container in task exited".
    return next((words for words in known if any(map(words.fit, said))), None)


def container_of(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """The last attempt's container, whichever kind of definition it is of."""
    if container := detail.get("container"):
        return dict(container)
    pod = detail.get("eksProperties", {}).get("podProperties", {})
    for holder in (*detail.get("ecsProperties", {}).get("taskProperties", ()), pod):
        for container in holder.get("containers", ()):
            return dict(container)
    return {}
