"""Which Batch job a container belongs to, by its environment or its job's record.

`runjob` imports this in every container, so it does without boto3.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jobs.runner import LONGEST_PLACE, place_of

if TYPE_CHECKING:
    from jobs.models import AbstractJob


def this_container() -> tuple[str, str] | None:
    """The Batch job and the attempt that this process is a container of.

    Returns None in a process that AWS Batch did not start.
    """
    batch_job_id = os.environ.get("AWS_BATCH_JOB_ID", "")
    if not batch_job_id:
        return None
    return batch_job_id, os.environ.get("AWS_BATCH_JOB_ATTEMPT", "") or "1"


def registered_batch_job(job: AbstractJob) -> str:
    """The Batch job whose container is the job's runner; empty if there is none."""
    place = place_of(job.runner)
    # Whatever wrote a longer one, it is no Batch job's.
    return place if len(place) <= LONGEST_PLACE else ""
