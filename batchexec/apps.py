"""The app, and what it adds to `jobs` when Django starts."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig

from batchexec.resources import Resources, check_resources
from jobs import runner
from jobs.payloads import codec
from jobs.signals import enqueueing


class BatchexecConfig(AppConfig):
    name = "batchexec"
    verbose_name = "Execution on AWS Batch"

    def ready(self) -> None:
        from batchexec import checks  # noqa: F401 (registers itself)
        from batchexec.aws.container import this_container
        from batchexec.executions import AwsBatch
        from jobs.operator import elsewhere

        codec.register("$resources", Resources, _dump, _load)
        enqueueing.connect(check_resources, dispatch_uid="batchexec.check_resources")
        runner.register_container(this_container)
        elsewhere.register(AwsBatch())


def _dump(resources: Resources) -> Any:
    return codec.encode(vars(resources))


def _load(body: Any) -> Resources:
    return Resources(**codec.decode(body))
