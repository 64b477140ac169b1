"""The app, and what it adds to `jobs` when Django starts."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig

from batchexec.resources import Resources, check_resources
from jobs import runner
from jobs.exceptions import NotKnownYet
from jobs.payloads import codec, vetting


class BatchexecConfig(AppConfig):
    name = "batchexec"
    verbose_name = "Execution on AWS Batch"

    def ready(self) -> None:
        from batchexec import checks  # noqa: F401 (registers itself)
        from batchexec.aws.container import this_container
        from batchexec.place import AwsBatch
        from jobs import monitors
        from jobs.operator import elsewhere

        codec.register("$resources", Resources, _dump, _load)
        vetting.register("batch", check_resources)
        runner.register_container(this_container)
        elsewhere.register(AwsBatch())
        monitors.OF_THE_DATABASE.append("batchexec.metrics.BatchJobs")
        monitors.OF_A_PROCESS.append("batchexec.metrics.Calls")


def _dump(resources: Resources) -> Any:
    # Without what is left out, so that older code can read what says nothing new.
    default = vars(Resources())
    given = {name: value for name, value in vars(resources).items() if value != default[name]}
    return codec.encode(given)


def _load(body: Any) -> Resources:
    given = codec.decode(body)
    if isinstance(given, dict) and (unknown := set(given) - set(vars(Resources()))):
        raise NotKnownYet(f"batchexec.Resources has no {', '.join(sorted(unknown))} here.")
    return Resources(**given)
