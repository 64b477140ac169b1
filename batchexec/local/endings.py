"""How an attempt ends, and whether AWS Batch then retries the job.

The texts are AWS's, as documented and as seen in use, because people's code tells
failures apart by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batchexec.local.job import Attempt, Job

#: AWS cuts a container's `reason` to this length.
MAX_REASON = 255
#: Seconds from SIGTERM to SIGKILL, unless the definition says otherwise.
STOP_TIMEOUT = 30
TIME_LIMIT = "Canceled by JobStateTimeLimit action due to reason: {}"
DEPENDENCY_FAILED = "Dependent job failed"


@dataclass(frozen=True)
class Ending:
    """Why an attempt ended, and what is reported about it.

    Without `code_known`, no exit code is reported. If `exit_code` is None, it is the
    process's own.
    """

    status_reason: str
    reason: str | None = None
    exit_code: int | None = None
    code_known: bool = True
    retryable: bool = True
    may_succeed: bool = False


EXITED = Ending("Essential container in task exited", may_succeed=True)
TIMED_OUT = Ending("Job attempt duration exceeded timeout", retryable=False)
OUT_OF_MEMORY = Ending(
    EXITED.status_reason,
    reason="OutOfMemoryError: Container killed due to memory usage",
    exit_code=137,
)
CANNOT_PULL = Ending(
    "Task failed to start",
    reason="CannotPullContainerError: pull image manifest has been retried 5 time(s): not found",
    code_known=False,
)
NO_LOG_GROUP = Ending(
    "Task failed to start",
    reason="CannotStartContainerError: Error response from daemon: failed to initialize "
    "logging driver: failed to create Cloudwatch log stream: ResourceNotFoundException: "
    "The specified log group does not exist.",
    code_known=False,
)
RECLAIMED = Ending("Your Spot Task was interrupted.")
EXITED_0_AFTER_SIGTERM = Ending(EXITED.status_reason, exit_code=0, may_succeed=True)


def host_terminated(exit_code: int | None) -> Ending:
    return Ending(
        "Host EC2 (instance i-0123456789abcdef0) terminated.",
        exit_code=exit_code,
        code_known=exit_code is not None,
    )


def cannot_start(command: list[str], error: Exception) -> Ending:
    text = f"CannotStartContainerError: Error response from daemon: exec {command[:1]}: {error}"
    return Ending("Task failed to start", reason=text[:MAX_REASON], code_known=False)


def terminated(reason: str) -> Ending:
    return Ending(reason, retryable=False)


def tries_again(job: Job, attempt: Attempt) -> bool:
    """Whether the job's retry strategy asks for another attempt.

    The first rule of evaluateOnExit whose conditions all match decides. If none does,
    the job is retried. See EvaluateOnExit in the API reference of AWS Batch.
    """
    if len(job.attempts) >= job.max_attempts:
        return False
    for rule in job.evaluate_on_exit:
        if _matches(rule, attempt):
            return rule.get("action", "").upper() == "RETRY"
    return True


def _matches(rule: dict[str, Any], attempt: Attempt) -> bool:
    code = "" if attempt.exit_code is None else str(attempt.exit_code)
    seen = {
        "onStatusReason": attempt.status_reason or "",
        "onReason": attempt.reason or "",
        "onExitCode": code,
    }
    return all(_like(seen[key], rule[key]) for key in seen if key in rule)


def _like(text: str, pattern: str) -> bool:
    """Matches as AWS does: `*` at the end stands for anything, and case is ignored."""
    if pattern.endswith("*"):
        return text.lower().startswith(pattern[:-1].lower())
    return text.lower() == pattern.lower()
