"""BATCHEXEC: the settings of the hand-over.

Region, credentials and endpoint are boto3's own variables.
"""

from __future__ import annotations

from typing import Any

from jobs.conf.options import (
    Option,
    Options,
    boolean,
    duration,
    non_negative_integer,
    string,
    string_list,
)

#: Of the name or ARN of a queue or definition, in characters: the marker's column, and
#: more than twice what AWS takes.
LONGEST_NAME = 512


def platform(value: Any) -> str:
    """Where AWS Batch runs the containers."""
    if value not in ("FARGATE", "EC2"):
        raise ValueError('"FARGATE" or "EC2"')
    return str(value)


def aws_name(value: Any) -> str:
    """The name or ARN of a queue or definition."""
    text = string(value)
    if len(text) > LONGEST_NAME:
        raise ValueError(f"a name or an ARN of {LONGEST_NAME} characters at most")
    return text


def rate(value: Any) -> float:
    """Jobs a second."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("a number of jobs a second")
    if not 0 <= value < float("inf"):
        raise ValueError("a finite number of jobs a second, 0 or more")
    return float(value)


settings = Options(
    "BATCHEXEC",
    {
        "JOB_QUEUE": Option(aws_name, "delayed-jobs", is_text=True),
        "JOB_DEFINITION": Option(aws_name, "delayed-jobs", is_text=True),
        "JOB_NAME_PREFIX": Option(string, "delayed-job"),
        # What the container runs, followed by the job's id.
        "COMMAND": Option(string_list, ["python", "manage.py", "runjob"]),
        # How often a worker process asks the database about its jobs, and AWS Batch
        # about those whose rows can't say how they are.
        "POLL_INTERVAL": Option(duration, 5),
        # How long AWS Batch is not asked about a job whose row says that it runs.
        "POLL_LONGEST": Option(duration, 60),
        # How many jobs a worker process submits a second; 0 means as many as it can.
        # AWS Batch takes 50 from an account and region.
        "SUBMIT_RATE": Option(rate, 25),
        # How long a submission without a reply is looked for before it is repeated.
        "SETTLE": Option(duration, 60),
        # How long DescribeJobs may not know a Batch job before it counts as gone.
        "GONE_AFTER": Option(duration, 600),
        # How long a Batch job may wait for its start before that is reported.
        "RUNNABLE_REPORT_AFTER": Option(duration, 1800),
        # How long it may wait before it is cancelled as a failed attempt; 0: for ever.
        "RUNNABLE_DEADLINE": Option(duration, 0),
        # How many executions of a job may be lost before it has begun, or because AWS
        # took the machine away (Spot, a lost host), before that costs an attempt.
        "INFRASTRUCTURE_RETRIES": Option(non_negative_integer, 3),
        # How long the trace of an execution is kept; 0: none is.
        "KEEP_EXECUTIONS_FOR": Option(duration, 30 * 86400),
        # How long a Batch job may wait for its start before it goes to the next queue
        # of Resources(queues=…), at no cost.
        "FALLBACK_AFTER": Option(duration, 900),
        "TERMINATE_ON_CANCEL": Option(boolean, True),
        # What sizes are checked against when a job is enqueued, and where the platform
        # of a queue may not be asked.
        "PLATFORM": Option(platform, "FARGATE"),
        # The share of jobs that name none, on a queue with a scheduling policy.
        "SHARE_IDENTIFIER": Option(string, ""),
        # A part of every Batch job's name, so that two installations on one job queue
        # never adopt each other's jobs. If it is empty, the database keeps one.
        "INSTALLATION_ID": Option(string, ""),
    },
)
