"""Backends that somebody derives from ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs.tasks import JobsBackend, compat


class Narrow(JobsBackend):
    supports_async_task = False
    supports_priority = False


@dataclass(frozen=True, kw_only=True)
class Labelled(compat.Task):  # type: ignore[misc]
    label: str = ""


class Labels(JobsBackend):
    """Its tasks have a field more; Django 6.0 has no `@task(label=…)` for it."""

    task_class: Any = Labelled
