"""Ways in which attempts fail on AWS that no job of ours brings about.

The fault `Container:fails:cause=<name>` has them happen. The texts are AWS's, as it
documents them or as public reports quote them, because people's code tells failures
apart by them. `docs/localbatch.md` has their sources.
"""

from __future__ import annotations

from batchexec.local.endings import EXITED, MAX_REASON, NO_LOG_GROUP, Ending

NOT_STARTED = "Task failed to start"


def _not_started(reason: str) -> Ending:
    return Ending(NOT_STARTED, reason=reason[:MAX_REASON], code_known=False)


def _stopped(status_reason: str) -> Ending:
    return Ending(status_reason, code_known=False)


#: The container is never started.
BEFORE_START: dict[str, Ending] = {
    "pull-not-found": _not_started(
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to "
        "resolve ref: not found"
    ),
    "pull-unauthorized": _not_started(
        "CannotPullContainerError: pull access denied, repository does not exist or may require "
        "authorization: server message: insufficient_scope: authorization failed"
    ),
    "pull-timeout": _not_started(
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): dial tcp: "
        "i/o timeout"
    ),
    "start-timeout": _not_started(
        "DockerTimeoutError: Could not transition to started; timed out after waiting 3m0s"
    ),
    "create-error": _not_started("CannotCreateContainerError: API error (500): devmapper"),
    "exec-format": _not_started(
        "CannotStartContainerError: Error response from daemon: exec format error"
    ),
    "no-log-group": NO_LOG_GROUP,
    "no-secret": _stopped(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
        "retrieval failed: unable to retrieve secret from asm"
    ),
    "no-role": _stopped(
        "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/execution' that was "
        "provided for this task."
    ),
    "no-network": _stopped("Timeout waiting for network interface provisioning to complete."),
}
#: The container runs, and is killed.
WHILE_RUNNING: dict[str, Ending] = {
    "maintenance": _stopped(
        "ECS is performing maintenance on the underlying infrastructure hosting the task."
    ),
    "host-stopped": _stopped("Host EC2 (instance i-0123456789abcdef0) stopped."),
    "inspect-error": Ending(
        EXITED.status_reason,
        reason="CannotInspectContainerError: Could not transition to inspecting; timed out "
        "after waiting 30s",
        code_known=False,
    ),
}
CAUSES = (*BEFORE_START, *WHILE_RUNNING)
