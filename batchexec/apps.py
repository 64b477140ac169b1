"""The app: what `jobs` has to know of AWS Batch is registered when Django starts."""

from __future__ import annotations

import os

from django.apps import AppConfig


class BatchexecConfig(AppConfig):
    name = "batchexec"
    verbose_name = "Execution on AWS Batch"

    def ready(self) -> None:
        from batchexec import checks  # noqa: F401
        from batchexec.enqueueing import check_resources
        from batchexec.resources import Resources
        from jobs import runner
        from jobs.payloads import codec
        from jobs.signals import enqueueing

        codec.register(
            "$resources",
            Resources,
            lambda value: codec.encode(vars(value)),
            lambda body: Resources(**codec.decode(body)),
        )
        enqueueing.connect(check_resources, dispatch_uid="batchexec.check_resources")
        runner.register_container(container_of_batch)


def container_of_batch() -> tuple[str, str] | None:
    """The Batch job that this process is a container of, and which attempt of it."""
    batch_job_id = os.environ.get("AWS_BATCH_JOB_ID")
    if not batch_job_id:
        return None
    return batch_job_id, os.environ.get("AWS_BATCH_JOB_ATTEMPT") or "1"
