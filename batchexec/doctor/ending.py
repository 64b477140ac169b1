"""Why the canary's Batch job ended without an outcome in the database."""

from __future__ import annotations

from typing import Any

from batchexec.aws.failures import container_of
from batchexec.aws.logs import ContainerLog
from jobs.operator.elsewhere import NoLog
from jobs.text import first_line, one_line

#: Of the container's log: lines, and characters of a line.
LINES, LONGEST = 3, 300
ENDED = ("SUCCEEDED", "FAILED")
#: By the exit status of `runjob` what is wrong, and the cure. See its help.
CAUSES = {
    1: (
        "it failed before it came to the job",
        "see the container's log, and deploy with a migrated database.",
    ),
    3: (
        "another execution of the job is registered",
        "run this again.",
    ),
    4: (
        "the container works on another database than this process",
        "give this process the containers' DATABASE_URL; with localbatch, start it after "
        "DATABASE_URL and SECRET_KEY are set.",
    ),
    75: (
        "the container doesn't reach the database",
        "let the containers' address or security group in at the database.",
    ),
    126: ("the image can't execute its command", "compare the image's processor with AWS's."),
    127: ("the image lacks the command", "build the image from the project's Dockerfile."),
    137: ("the container was killed, or had too little memory", "give the definition more memory."),
}
OTHERWISE = (
    "likely the container has another database or another SECRET_KEY than this process",
    "compare DATABASE_URL and SECRET_KEY here and there, and see the container's log.",
)


def explain(detail: dict[str, Any]) -> tuple[str, str]:
    """A sentence about the Batch job of that JobDetail, and the cure.

    It says the exit status, AWS Batch's reason, and the last lines of the log.
    """
    container = container_of(detail)
    code = container.get("exitCode")
    cause, cure = CAUSES.get(code, OTHERWISE) if isinstance(code, int) else ("", "")
    if not isinstance(code, int):
        cause, cure = "its container never ran", "see docs/troubleshooting.md for AWS's reason."
    reasons = [str(detail.get("statusReason") or ""), str(container.get("reason") or "")]
    said = ", ".join(first_line(one) for one in reasons if one) or "AWS Batch gives no reason"
    status = f"exit code {code}" if isinstance(code, int) else "no exit code"
    text = f"its Batch job ended as {detail.get('status')} with {status} ({said}): {cause}"
    if lines := _log_of(str(detail.get("jobId") or "")):
        text += f"; its log ends with: {' | '.join(lines)}"
    return text, cure


def _log_of(batch_job_id: str) -> list[str]:
    try:
        lines = ContainerLog(batch_job_id).read(LINES)
    except NoLog:
        return []
    return [one_line(line.strip())[:LONGEST] for line in lines[-LINES:] if line.strip()]
