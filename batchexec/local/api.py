"""Answers the calls of AWS Batch that submit, describe, list and stop jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from batchexec.local import listing
from batchexec.local.cloud import Cloud
from batchexec.local.errors import refuse
from batchexec.local.faults import Faults
from batchexec.local.index import Index
from batchexec.local.job import Job, milliseconds
from batchexec.local.scheduler import Scheduler
from batchexec.local.submission import check_timeout, make_job

MAX_DESCRIBED = 100
MAX_STOPPED = 50

Request = Mapping[str, Any]


class BatchApi:
    """The operations of AWS Batch on jobs, by name.

    Each takes a region, the request and its size in bytes, and returns the answer or
    raises an ApiError.
    """

    def __init__(
        self,
        cloud: Cloud,
        scheduler: Scheduler,
        faults: Faults,
        index: Index,
        *,
        allow_short_timeouts: bool,
        forget_after: float | None,
    ):
        self._cloud = cloud
        self._scheduler = scheduler
        self._faults = faults
        self._index = index
        self._allow_short_timeouts = allow_short_timeouts
        self._forget_after = forget_after
        self.operations: dict[str, Callable[[str, Request, int], dict[str, Any]]] = {
            "SubmitJob": self.submit_job,
            "DescribeJobs": self.describe_jobs,
            "ListJobs": self.list_jobs,
            "CancelJob": self.cancel_job,
            "TerminateJob": self.terminate_job,
            "CancelJobs": self.cancel_jobs,
            "TerminateJobs": self.terminate_jobs,
        }

    def check(self, operation: str, request: Request) -> None:
        """Refuses what AWS refuses and moto doesn't, in calls that moto answers."""
        if operation == "RegisterJobDefinition" and request.get("timeout"):
            check_timeout(request["timeout"], self._allow_short_timeouts)

    def tags_of(self, region: str, arn: str) -> Mapping[str, str]:
        """The tags of a job, queue, definition or other resource; none if unknown."""
        job = self._scheduler.jobs.get(arn.rpartition(":job/")[2])
        return job.tags if job else self._cloud.tags(region, arn)

    def submit_job(self, region: str, request: Request, size: int) -> dict[str, Any]:
        short = self._allow_short_timeouts
        job = make_job(self._cloud, region, request, size, allow_short_timeouts=short)
        self._scheduler.submit(job)
        return {"jobId": job.id, "jobName": job.name, "jobArn": job.arn}

    def describe_jobs(self, region: str, request: Request, size: int) -> dict[str, Any]:
        """Leaves out unknown ids, as AWS does."""
        ids = request.get("jobs")
        if not isinstance(ids, list):
            raise refuse("jobs must be given.")
        if len(ids) > MAX_DESCRIBED:
            raise refuse(f"Maximum number of jobs supported is {MAX_DESCRIBED}")
        names = dict.fromkeys(str(name).rpartition(":job/")[2] for name in ids)
        with self._scheduler.lock:
            self._forget()
            known = self._scheduler.jobs
            found = [known[name] for name in names if name in known]
            jobs = self._seen("DescribeJobs", found, region)
            running = any(job.status == "RUNNING" for job in jobs)
            # What each status is shown as.
            shown: dict[str, str] = {}
            if running and self._faults.take("DescribeJobs", {"backwards"}):
                shown["RUNNING"] = "RUNNABLE"
            return {"jobs": [job.describe(shown.get(job.status, "")) for job in jobs]}

    def list_jobs(self, region: str, request: Request, size: int) -> dict[str, Any]:
        given = [key for key in ("jobQueue", "arrayJobId", "multiNodeJobId") if request.get(key)]
        if given != ["jobQueue"]:
            raise refuse(
                "Exactly one of jobQueue, arrayJobId and multiNodeJobId must be given; "
                "localbatch has queues only."
            )
        queue = self._cloud.queue(region, request["jobQueue"])
        if queue is None:
            raise refuse(f"Job queue {request['jobQueue']} does not exist.")
        with self._scheduler.lock:
            self._forget()
            entries = [entry for entry in self._index.entries() if entry.job.queue_arn == queue.arn]
            shown = set(self._seen("ListJobs", [entry.job for entry in entries], region))
            found = listing.select([one for one in entries if one.job in shown], request)
            entries, token = listing.page(found, request)
        summaries = [entry.summary for entry in entries]
        return {"jobSummaryList": summaries} | ({"nextToken": token} if token else {})

    def cancel_job(self, region: str, request: Request, size: int) -> dict[str, Any]:
        self._scheduler.cancel(_required(request, "jobId"), _required(request, "reason"))
        return {}

    def terminate_job(self, region: str, request: Request, size: int) -> dict[str, Any]:
        self._scheduler.terminate(_required(request, "jobId"), _required(request, "reason"))
        return {}

    def cancel_jobs(self, region: str, request: Request, size: int) -> dict[str, Any]:
        return _each(request, self._scheduler.cancel)

    def terminate_jobs(self, region: str, request: Request, size: int) -> dict[str, Any]:
        return _each(request, self._scheduler.terminate)

    def _seen(self, operation: str, jobs: Iterable[Job], region: str) -> list[Job]:
        """Leaves out jobs of other regions, and jobs that a fault hides."""
        seen = [job for job in jobs if job.region == region]
        if fault := self._faults.take(operation, {"blind"}):
            oldest_hidden = milliseconds() - 1000 * fault.seconds()
            seen = [job for job in seen if job.created_at < oldest_hidden]
        if self._faults.take(operation, {"forget-all"}):
            seen = []
        if self._faults.take(operation, {"forget"}):
            seen = [job for job in seen if not job.finished]
        return seen

    def _forget(self) -> None:
        """Drops jobs that finished too long ago. AWS keeps them for seven days."""
        if self._forget_after is not None:
            oldest = milliseconds() - 1000 * self._forget_after
            for job in list(self._scheduler.jobs.values()):
                if job.stopped_at is not None and job.stopped_at < oldest:
                    del self._scheduler.jobs[job.id]
                    self._index.forget(job.id)


def _required(request: Request, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise refuse(f"{key} must be given.")
    return value


def _each(request: Request, stop: Callable[[str, str], None]) -> dict[str, Any]:
    """A bulk call. An unknown job counts as successful, as on AWS."""
    jobs = request.get("jobs") or []
    if not 1 <= len(jobs) <= MAX_STOPPED:
        raise refuse(f"1 to {MAX_STOPPED} jobs must be given.")
    reason = _required(request, "reason")
    for job in jobs:
        stop(job, reason)
    return {"successful": jobs, "errors": []}
