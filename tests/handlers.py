"""Handlers as rows keep them: written and signed by this project, whatever they say."""

from __future__ import annotations

from typing import Any

from jobs import payloads
from jobs.models import Job

RECORD = '{"class": "tests.samples.Record", "fields": {"value": %s}}'


def the_job() -> Job:
    return Job.objects.get()


def set_rows(**changes: object) -> None:
    Job.objects.filter(epoch__gte=0).update(**changes)


def reloaded(payload: Any) -> Any:
    """The job object as a worker would load it."""
    handler = payloads.dump(payload)
    return payloads.load(handler, payloads.sign(handler))


def set_handler(job: Any, handler: str) -> None:
    """Stores another handler, signed, so that what it says is looked at."""
    signature = payloads.sign(handler)
    Job.objects.filter(pk=job.pk).update(handler=handler, signature=signature)
