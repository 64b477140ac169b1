"""Jobs performed where they are enqueued."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.test import override_settings


@contextmanager
def inline(**settings_of_jobs: Any) -> Iterator[None]:
    """In the block, or the function that it decorates, every job is performed at once.

    It is serialized and signed first, so that a job which can't be stored fails here,
    too. Its exceptions reach the caller, and it is not tried again. Further keys of
    `JOBS` may be given.
    """
    changed = {**getattr(settings, "JOBS", {}), "DELAY_JOBS": False, **settings_of_jobs}
    with override_settings(JOBS=changed):
        yield
