"""BATCHEXEC: the settings of the hand-over. Region, credentials and endpoint are boto3's own variables."""

from __future__ import annotations

from typing import Any

from jobs.conf.options import Option, Options, boolean, duration, non_negative_integer, string, string_list


def platform(value: Any) -> str:
    if value not in ("FARGATE", "EC2"):
        raise ValueError('"FARGATE" or "EC2"')
    return str(value)


def rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("a number of jobs a second")
    if not 0 <= value < float("inf"):
        raise ValueError("a finite number of jobs a second, 0 or more")
    return float(value)


settings = Options(
    "BATCHEXEC",
    {
        "JOB_QUEUE": Option(string, "delayed-jobs"),
        "JOB_DEFINITION": Option(string, "delayed-jobs"),
        "JOB_NAME_PREFIX": Option(string, "delayed-job"),
        # What the container runs; the job's id is appended.
        "COMMAND": Option(string_list, ["python", "manage.py", "runjob"]),
        "POLL_INTERVAL": Option(duration, 5),
        # Jobs that one worker process submits a second, 0: as many as it can. AWS Batch takes 50 of an account and region.
        "SUBMIT_RATE": Option(rate, 25),
        # How long a submission with an unknown outcome is looked for by name before it is repeated.
        "SETTLE": Option(duration, 60),
        # How long a Batch job that was submitted may be unknown to DescribeJobs before it counts as gone.
        "GONE_AFTER": Option(duration, 600),
        # How long a Batch job may wait to be started before that is reported, and before it is cancelled, which is a failed
        # attempt; 0: never.
        "RUNNABLE_REPORT_AFTER": Option(duration, 1800),
        "RUNNABLE_DEADLINE": Option(duration, 0),
        # How often AWS may take the machine away (Spot, a lost host) before that costs one of the job's attempts.
        "INFRASTRUCTURE_RETRIES": Option(non_negative_integer, 0),
        "TERMINATE_ON_CANCEL": Option(boolean, True),
        "PLATFORM": Option(platform, "FARGATE"),
        # Part of every Batch job's name, so that two installations on one job queue never adopt each other's
        # jobs. Empty: made once and kept in the database.
        "INSTALLATION_ID": Option(string, ""),
    },
)
