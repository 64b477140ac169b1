"""A job that says what it needs on AWS Batch."""

from __future__ import annotations

import os
from dataclasses import dataclass

import jobs


@dataclass
class RenderFilm(jobs.Performable):
    film: str

    # A mapping, so that this module doesn't have to import batchexec. On Fargate, the
    # pair is rounded up to one that exists, and the worker logs that.
    batch = {"vcpu": 1, "memory": 2000, "environment": {"QUALITY": "high"}}

    def perform(self) -> None:
        batch_job_id = os.environ.get("AWS_BATCH_JOB_ID")
        where = f"Batch job {batch_job_id}" if batch_job_id else "a worker"
        quality = os.environ.get("QUALITY", "low")
        print(f"Rendered {self.film} in {quality} quality, in {where}")
