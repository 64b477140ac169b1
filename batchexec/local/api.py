"""Answers the calls of AWS Batch that submit, describe, list, stop and tag."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from batchexec.local import listing
from batchexec.local.account import queues, tagging
from batchexec.local.account.account import Account
from batchexec.local.account.region import Region
from batchexec.local.errors import refuse
from batchexec.local.faults import Faults
from batchexec.local.index import Index
from batchexec.local.job import Job, milliseconds
from batchexec.local.scheduler import Scheduler
from batchexec.local.submission import make_job

MAX_DESCRIBED = 100
MAX_STOPPED = 50
#: Of the reason why a job is stopped, in characters.
LONGEST_REASON = 1024

CHANGES_PLACES = ("UpdateComputeEnvironment", "UpdateJobQueue")

Request = Mapping[str, Any]


class BatchApi:
    """The operations of AWS Batch by name."""

    def __init__(
        self,
        account: Account,
        scheduler: Scheduler,
        faults: Faults,
        index: Index,
        *,
        allow_short_timeouts: bool,
        forget_after: float | None,
    ):
        self._account = account
        self._scheduler = scheduler
        self._faults = faults
        self._index = index
        self._allow_short_timeouts = allow_short_timeouts
        self._forget_after = forget_after
        self._operations: dict[str, Callable[[Region, Request], dict[str, Any]]] = {
            "DescribeJobs": self.describe_jobs,
            "ListJobs": self.list_jobs,
            "CancelJob": self.cancel_job,
            "TerminateJob": self.terminate_job,
            "CancelJobs": self.cancel_jobs,
            "TerminateJobs": self.terminate_jobs,
            "DeleteJobQueue": self.delete_job_queue,
            "TagResource": lambda region, r: tagging.tag(self._existing_tags(region, r), r),
            "UntagResource": lambda region, r: tagging.untag(self._existing_tags(region, r), r),
            "ListTagsForResource": lambda region, r: tagging.list_tags(
                self._existing_tags(region, r), r
            ),
        }

    def perform(self, operation: str, region: str, request: Request, size: int) -> dict[str, Any]:
        """The answer to a request of `size` bytes that the service model allows.

        Raises ApiError if AWS would refuse it, and UnknownRegion.
        """
        with self._account.lock:
            known = self._account.region(region)
            if operation == "SubmitJob":
                return self.submit_job(known, request, size)
            perform = self._operations.get(operation) or self._account.operation(operation)
            if perform is None:
                raise refuse(f"localbatch doesn't have {operation}.")
            answer = perform(known, request)
            if operation in CHANGES_PLACES:
                self._scheduler.place_again()
            return answer

    def tags_of(self, region: str, arn: str) -> dict[str, str]:
        """The tags of a job, queue, definition or other resource; none if unknown."""
        with self._account.lock:
            return self._tags(self._account.region(region), arn) or {}

    def submit_job(self, region: Region, request: Request, size: int) -> dict[str, Any]:
        short = self._allow_short_timeouts
        job = make_job(region, request, size, allow_short_timeouts=short)
        self._scheduler.submit(job)
        return {"jobId": job.id, "jobName": job.name, "jobArn": job.arn}

    def describe_jobs(self, region: Region, request: Request) -> dict[str, Any]:
        """Leaves out unknown ids, as AWS does."""
        ids = request["jobs"]
        if len(ids) > MAX_DESCRIBED:
            raise refuse(f"Maximum number of jobs supported is {MAX_DESCRIBED}")
        names = dict.fromkeys(name.rpartition(":job/")[2] for name in ids)
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

    def list_jobs(self, region: Region, request: Request) -> dict[str, Any]:
        given = [key for key in ("jobQueue", "arrayJobId", "multiNodeJobId") if request.get(key)]
        if given != ["jobQueue"]:
            raise refuse(
                "Exactly one of jobQueue, arrayJobId and multiNodeJobId must be given; "
                "localbatch has queues only."
            )
        queue = queues.existing(region, request["jobQueue"])["jobQueueArn"]
        with self._scheduler.lock:
            self._forget()
            entries = [entry for entry in self._index.entries() if entry.job.queue_arn == queue]
            shown = set(self._seen("ListJobs", [entry.job for entry in entries], region))
            found = listing.select([one for one in entries if one.job in shown], request)
            entries, token = listing.page(found, request)
        summaries = [entry.summary for entry in entries]
        return {"jobSummaryList": summaries} | ({"nextToken": token} if token else {})

    def cancel_job(self, region: Region, request: Request) -> dict[str, Any]:
        self._scheduler.cancel(_given(request, "jobId"), _reason(request))
        return {}

    def terminate_job(self, region: Region, request: Request) -> dict[str, Any]:
        self._scheduler.terminate(_given(request, "jobId"), _reason(request))
        return {}

    def cancel_jobs(self, region: Region, request: Request) -> dict[str, Any]:
        return _each(request, self._scheduler.cancel)

    def terminate_jobs(self, region: Region, request: Request) -> dict[str, Any]:
        return _each(request, self._scheduler.terminate)

    def delete_job_queue(self, region: Region, request: Request) -> dict[str, Any]:
        """Terminates the queue's jobs, too, as AWS does."""
        arn = region.arn("job-queue", request["jobQueue"])
        answer = queues.delete(region, request)
        with self._scheduler.lock:
            for job in list(self._scheduler.jobs.values()):
                if job.queue_arn == arn:
                    self._scheduler.terminate(job.id, "Job queue was deleted")
        return answer

    def _existing_tags(self, region: Region, request: Request) -> dict[str, str]:
        tags = self._tags(region, request["resourceArn"])
        if tags is None:
            raise refuse(f"Resource {request['resourceArn']} does not exist.")
        return tags

    def _tags(self, region: Region, arn: str) -> dict[str, str] | None:
        if job := self._scheduler.jobs.get(arn.rpartition(":job/")[2]):
            return job.tags
        resource = region.resource(arn)
        return None if resource is None else resource["tags"]

    def _seen(self, operation: str, jobs: Iterable[Job], region: Region) -> list[Job]:
        """Leaves out jobs of other regions, and jobs that a fault hides."""
        seen = [job for job in jobs if job.region == region.name]
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


def _given(request: Request, key: str) -> str:
    if not request[key]:
        raise refuse(f"{key} must be given.")
    return str(request[key])


def _reason(request: Request) -> str:
    reason = _given(request, "reason")
    if len(reason) > LONGEST_REASON:
        raise refuse(f"reason has {len(reason)} characters; at most {LONGEST_REASON} are allowed.")
    return reason


def _each(request: Request, stop: Callable[[str, str], None]) -> dict[str, Any]:
    """A bulk call. An unknown job counts as successful, as on AWS."""
    jobs = request["jobs"]
    if not 1 <= len(jobs) <= MAX_STOPPED:
        raise refuse(f"1 to {MAX_STOPPED} jobs must be given.")
    reason = _reason(request)
    for job in jobs:
        stop(job, reason)
    return {"successful": jobs, "errors": []}
