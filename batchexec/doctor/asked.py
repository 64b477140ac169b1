"""What the definition and the classes of jobs ask of a compute environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module

from django.apps import apps

from batchexec.aws.definitions import Definition
from batchexec.resources import Resources, resources_of
from batchexec.sizes import FARGATE
from jobs.payloads import Performable, subclasses

#: Modules of an app in which job classes usually are.
USUAL = ("jobs", "tasks")


def asked(definition: Definition) -> list[tuple[str, float]]:
    """Who asks for how many vCPUs of the settings' queue, the most first."""
    found = [(f"The job definition {definition.pinned}", definition.sizes.vcpu or 0.0)]
    for cls in _classes():
        resources = _resources(cls)
        if resources and not (resources.queue or resources.queues or resources.definition):
            # What a job leaves out is the definition's.
            found.append((f"{cls.__module__}.{cls.__qualname__}", _vcpu(resources, definition)))
    return sorted(found, key=lambda one: -one[1])


def _vcpu(resources: Resources, definition: Definition) -> float:
    if FARGATE in definition.capabilities:
        with suppress(ValueError):  # no such size, which enqueueing says
            resources = resources.fitted(FARGATE, definition.sizes)
    return resources.vcpu or definition.sizes.vcpu or 0.0


def _resources(cls: type) -> Resources | None:
    """What the class asks for, if it says so itself and it can be read."""
    if "batch" not in vars(cls):
        return None
    try:
        return resources_of(cls)
    except Exception:  # a property, which only instances have
        return None


def _classes() -> Iterator[type]:
    for app in apps.get_app_configs():
        for name in USUAL if app.name != "jobs" else ():
            with suppress(Exception):  # a module that can't be loaded is not our finding
                import_module(f"{app.name}.{name}")
    yield from subclasses(Performable)
