from __future__ import annotations

from typing import Any

from batchexec.conf import settings
from batchexec.resources import resources_of


def check_resources(sender: Any, job: Any, **kwargs: Any) -> None:
    """A size that doesn't exist reaches whoever enqueues the job, not a worker in the night."""
    resources_of(job.payload).fitted(settings.PLATFORM)
